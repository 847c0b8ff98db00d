"""Apprend le modèle sur des transactions inventées, et garde aussi leur distribution.

python entrainement.py DOSSIER écrit DOSSIER/modele.json et DOSSIER/reference.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

VARIABLES = ["montant", "distance", "tentatives", "anciennete"]


def transactions(nombre, hasard):
    """Des transactions et leur étiquette : 1 pour une fraude."""
    montant = hasard.gamma(2.0, 90.0, nombre)
    distance = hasard.gamma(1.2, 80.0, nombre)
    tentatives = hasard.poisson(0.8, nombre)
    anciennete = hasard.gamma(2.0, 500.0, nombre)
    penchant = (
        -2.6 + 0.006 * montant + 0.009 * distance + 0.8 * tentatives - 0.0012 * anciennete
        + hasard.normal(0, 0.6, nombre)
    )
    etiquette = hasard.random(nombre) < 1 / (1 + np.exp(-penchant))
    return np.column_stack([montant, distance, tentatives, anciennete]), etiquette.astype(int)


def reference(valeurs):
    """Les déciles d'une variable, et la part des transactions dans chaque tranche."""
    bornes = np.quantile(valeurs, np.arange(1, 10) / 10)
    tranches = np.searchsorted(bornes, valeurs, side="right")
    parts = np.bincount(tranches, minlength=10) / len(valeurs)
    return {"bornes": bornes.tolist(), "parts": parts.tolist()}


def main(dossier):
    x, y = transactions(6000, np.random.default_rng(10))
    apprend, verifie, y_apprend, y_verifie = train_test_split(x, y, test_size=0.25, random_state=10)
    echelle = StandardScaler().fit(apprend)
    modele = LogisticRegression().fit(echelle.transform(apprend), y_apprend)
    auc = roc_auc_score(y_verifie, modele.predict_proba(echelle.transform(verifie))[:, 1])
    print(f"{len(x)} transactions, {y.mean():.1%} de fraudes, AUC {auc:.3f}")
    # Un modèle qui n'a rien appris ne doit pas faire une image.
    if auc < 0.7:
        sys.exit("le modèle n'a rien appris")
    dossier.mkdir(parents=True, exist_ok=True)
    (dossier / "modele.json").write_text(json.dumps({
        "base": float(modele.intercept_[0]),
        "variables": {
            nom: {"poids": float(poids), "moyenne": float(moyenne), "ecart": float(ecart)}
            for nom, poids, moyenne, ecart in zip(
                VARIABLES, modele.coef_[0], echelle.mean_, echelle.scale_)
        },
    }))
    (dossier / "reference.json").write_text(json.dumps({
        "effectif": len(apprend),
        "variables": {nom: reference(apprend[:, i]) for i, nom in enumerate(VARIABLES)},
    }))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
