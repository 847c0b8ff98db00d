"""Le tableau de bord : ce que dit l'API, en images."""

import os

import requests
import streamlit as st

API = os.environ.get("API_URL", "http://api:5000")

st.set_page_config(page_title="Fraude", layout="wide")
st.title("Détection de fraude")


def demande(methode, chemin, **reste):
    try:
        reponse = requests.request(methode, API + chemin, timeout=5, **reste)
        reponse.raise_for_status()
        return reponse.json()
    except requests.RequestException as erreur:
        st.error(f"L'API ne répond pas comme prévu : {erreur}")
        st.stop()


reference = demande("GET", "/baseline")
st.caption(f"Référence : {reference['effectif']} transactions")

gauche, droite = st.columns(2)
with gauche:
    montant = st.number_input("Montant (€)", 0.0, 5000.0, 120.0)
    distance = st.number_input("Distance (km)", 0.0, 5000.0, 12.0)
    tentatives = st.number_input("Tentatives refusées dans l'heure", 0, 20, 0)
    anciennete = st.number_input("Ancienneté du client (jours)", 0, 10000, 800)

vue = {"montant": montant, "distance": distance, "tentatives": tentatives, "anciennete": anciennete}
avis = demande("POST", "/predict", json=vue)
explication = demande("POST", "/explain", json=vue)
with droite:
    st.metric("Score", f"{avis['score']:.3f}", "fraude" if avis["fraude"] else "rien à signaler")
    st.bar_chart(explication["contributions"])
