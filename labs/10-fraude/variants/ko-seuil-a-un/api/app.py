"""L'API : un score, son explication, et la dérive des données."""

import bisect
import json
import math
import os
import tempfile
from pathlib import Path

from flask import Flask, jsonify, request
from psi import indice

ICI = Path(__file__).parent
MODELE = json.loads((ICI / "modele" / "modele.json").read_text())
VARIABLES = list(MODELE["variables"])
SEUIL = json.loads(Path(os.environ.get("SEUIL", "config/seuil.json")).read_text())["seuil"]
REFERENCE = Path(os.environ.get("REFERENCE", "/donnees/reference.json"))
DERIVE = 1.0

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
    if not isinstance(lue, dict):
        raise Refus("une transaction est un objet")
    valeurs = []
    for nom in VARIABLES:
        valeur = lue.get(nom)
        if isinstance(valeur, bool) or not isinstance(valeur, (int, float)) or not math.isfinite(valeur):
            raise Refus(f"« {nom} » doit être un nombre")
        valeurs.append(float(valeur))
    return valeurs


def transactions(lues):
    if not isinstance(lues, list) or len(lues) < 50:
        raise Refus("une liste de 50 transactions au moins est attendue")
    return [transaction(lue) for lue in lues]


def contributions(valeurs):
    """Ce que chaque variable ajoute au logarithme du rapport des chances."""
    return {
        nom: v["poids"] * (valeur - v["moyenne"]) / v["ecart"]
        for (nom, v), valeur in zip(MODELE["variables"].items(), valeurs)
    }


def chance(penchant):
    """La sigmoïde, sans jamais calculer l'exponentielle d'un grand nombre."""
    if penchant >= 0:
        return 1 / (1 + math.exp(-penchant))
    e = math.exp(penchant)
    return e / (1 + e)


@app.get("/health")
def health():
    return jsonify(status="healthy")


@app.post("/predict")
def predict():
    score = chance(MODELE["base"] + sum(contributions(transaction(corps())).values()))
    return jsonify(score=score, fraude=score >= SEUIL)


@app.post("/explain")
def explain():
    parts = contributions(transaction(corps()))
    score = chance(MODELE["base"] + sum(parts.values()))
    return jsonify(score=score, base=MODELE["base"], contributions=parts)


def reference():
    """La référence en vigueur : relue à chaque fois, car plusieurs processus se partagent le travail."""
    fichier = REFERENCE if REFERENCE.exists() else ICI / "modele" / "reference.json"
    return json.loads(fichier.read_text())


def tranches(bornes, valeurs):
    comptes = [0] * (len(bornes) + 1)
    for valeur in valeurs:
        comptes[bisect.bisect_right(bornes, valeur)] += 1
    return [compte / len(valeurs) for compte in comptes]


@app.get("/baseline")
def lit_reference():
    return jsonify(effectif=reference()["effectif"])


@app.post("/baseline")
def ecrit_reference():
    lignes = transactions(corps().get("transactions"))
    neuve = {"effectif": len(lignes), "variables": {}}
    for nom, valeurs in zip(VARIABLES, zip(*lignes)):
        rangees = sorted(valeurs)
        bornes = [rangees[len(rangees) * dixieme // 10] for dixieme in range(1, 10)]
        neuve["variables"][nom] = {"bornes": bornes, "parts": tranches(bornes, valeurs)}
    # D'un bloc : un lecteur ne voit jamais une moitié de fichier.
    with tempfile.NamedTemporaryFile("w", dir=REFERENCE.parent, delete=False) as fichier:
        json.dump(neuve, fichier)
    os.replace(fichier.name, REFERENCE)
    return jsonify(effectif=len(lignes)), 201


@app.post("/drift")
def drift():
    lignes = transactions(corps().get("transactions"))
    connue = reference()["variables"]
    psi = {
        nom: indice(connue[nom]["parts"], tranches(connue[nom]["bornes"], valeurs))
        for nom, valeurs in zip(VARIABLES, zip(*lignes))
    }
    return jsonify(psi=psi, derive=max(psi.values()) > DERIVE)
