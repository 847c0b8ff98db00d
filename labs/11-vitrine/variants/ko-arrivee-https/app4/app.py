"""Application « Fusée » : petite, mais elle sait dire qui elle est."""
import socket

from flask import Flask, jsonify, redirect, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

NOM = "app4"

app = Flask(__name__)
# L'en-tête X-Forwarded-Prefix dit sous quel chemin l'application est publiée ;
# url_for() en tient alors compte.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_prefix=1)

PAGE = """<!doctype html>
<html lang="fr">
<head>
  <meta charset="utf-8">
  <title>Fusée</title>
  <link rel="stylesheet" href="{style}">
</head>
<body>
  <h1>Fusée</h1>
  <p>Vous êtes chez <code>{nom}</code>, servi par <code>{instance}</code>.</p>
  <p><a href="{depart}">Suivre la redirection</a></p>
</body>
</html>
"""


def carte():
    """Qui répond, et à quoi."""
    return jsonify(application=NOM, instance=socket.gethostname(), jeton=request.args.get("jeton", ""))


@app.get("/")
def accueil():
    return PAGE.format(
        style=url_for("static", filename="style.css"),
        nom=NOM,
        instance=socket.gethostname(),
        depart=url_for("depart", jeton="bonjour"),
    )


@app.get("/qui")
def qui():
    return carte()


@app.get("/depart")
def depart():
    return redirect(url_for("arrivee", jeton=request.args.get("jeton", ""), _external=True, _scheme="https"))


@app.get("/arrivee")
def arrivee():
    return carte()
