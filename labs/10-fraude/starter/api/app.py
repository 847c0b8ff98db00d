"""L'API : un score, son explication, et la dérive des données."""

import json
import math
import os
from pathlib import Path

from flask import Flask, jsonify, request

ICI = Path(__file__).parent
MODELE = json.loads((ICI / "modele" / "modele.json").read_text())
VARIABLES = list(MODELE["variables"])
SEUIL = json.loads(Path(os.environ.get("SEUIL", "config/seuil.json")).read_text())["seuil"]
REFERENCE = Path(os.environ.get("REFERENCE", "/donnees/reference.json"))

app = Flask(__name__)


class Refus(Exception):
    """Une entrée que l'on ne sait pas lire."""


@app.errorhandler(Refus)
def refuse(raison):
    return jsonify(erreur=str(raison)), 400


def corps():
    lu = request.get_json(silent=True)
    if not isinstance(lu, dict):
        raise Refus("un objet JSON est attendu")
    return lu


def transaction(lue):
    """Les valeurs d'une transaction, dans l'ordre des variables."""
    # TODO : refuser (par Refus) ce qui manque et ce qui n'est pas un nombre.
    return [float(lue[nom]) for nom in VARIABLES]


def penchant(valeurs):
    """Le logarithme du rapport des chances."""
    ecarts = [v["poids"] * (valeur - v["moyenne"]) / v["ecart"]
              for v, valeur in zip(MODELE["variables"].values(), valeurs)]
    return MODELE["base"] + sum(ecarts)


@app.get("/health")
def health():
    return jsonify(status="healthy")


@app.post("/predict")
def predict():
    # TODO : que devient cette exponentielle pour un penchant de -1000 ?
    score = 1 / (1 + math.exp(-penchant(transaction(corps()))))
    return jsonify(score=score, fraude=score >= SEUIL)


@app.post("/explain")
def explain():
    # TODO : score, base, et ce que chaque variable ajoute.
    return jsonify(erreur="à faire"), 501


@app.get("/baseline")
def lit_reference():
    # TODO : celle du volume s'il y en a une, celle de l'entraînement sinon.
    depart = json.loads((ICI / "modele" / "reference.json").read_text())
    return jsonify(effectif=depart["effectif"])


@app.post("/baseline")
def ecrit_reference():
    # TODO : compter les transactions par tranche, et garder le tout dans REFERENCE.
    return jsonify(erreur="à faire"), 501


@app.post("/drift")
def drift():
    # TODO : « from psi import indice », puis indice(parts attendues, parts vues) pour chaque variable.
    return jsonify(erreur="à faire"), 501
