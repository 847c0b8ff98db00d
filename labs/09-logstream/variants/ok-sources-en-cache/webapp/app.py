"""LogStream : des sources de journaux (MongoDB), leurs lignes (Elasticsearch), un compteur (Redis)."""
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import redis
from flask import Flask, abort, jsonify, request
from pymongo import MongoClient
from pymongo.errors import PyMongoError

MONGO_URL = os.environ.get("MONGO_URL", "mongodb://mongodb:27017")
REDIS_URL = os.environ.get("REDIS_URL", "redis://redis:6379/0")
ELASTIC_URL = os.environ.get("ELASTIC_URL", "http://elasticsearch:9200")
# Une panne se dit vite : personne n'attend trente secondes la réponse de /health.
ATTENTE = 2

app = Flask(__name__)
mongo = MongoClient(MONGO_URL, serverSelectionTimeoutMS=ATTENTE * 1000, socketTimeoutMS=ATTENTE * 1000)
sources = mongo.logstream.sources
cache = redis.Redis.from_url(REDIS_URL, socket_timeout=ATTENTE, socket_connect_timeout=ATTENTE)


def elastic(chemin):
    with urllib.request.urlopen(ELASTIC_URL + chemin, timeout=ATTENTE) as reponse:
        return json.load(reponse)


def repond(question):
    """Vrai si la question a reçu une réponse."""
    try:
        question()
    except Exception as erreur:  # noqa: BLE001 : quelle que soit la panne, c'en est une
        app.logger.warning("%s", erreur)
        return False
    return True


@app.get("/health")
def health():
    etat = {
        "mongodb": repond(lambda: mongo.admin.command("ping")),
        "redis": repond(cache.ping),
        "elasticsearch": repond(lambda: elastic("/_cluster/health?wait_for_status=yellow&timeout=1s")),
    }
    bon = all(etat.values())
    return jsonify(status="healthy" if bon else "degraded", **etat), 200 if bon else 503


@app.post("/sources")
def ajouter():
    corps = request.get_json(silent=True)
    nom = corps.get("nom") if isinstance(corps, dict) else None
    if not isinstance(nom, str) or not nom:
        abort(400)
    source = {"nom": nom, "genre": str(corps.get("genre", "application"))}
    sources.replace_one({"_id": nom}, {"_id": nom, **source}, upsert=True)
    cache.setex(f"source:{nom}", 600, json.dumps(source))
    return jsonify(source), 201


@app.get("/sources")
def lister():
    return jsonify(sources=[{"nom": s["nom"], "genre": s["genre"]} for s in sources.find().limit(100)])


@app.get("/sources/<nom>")
def lire(nom):
    gardee = cache.get(f"source:{nom}")
    source = json.loads(gardee) if gardee else sources.find_one({"_id": nom})
    if source is None:
        abort(404)
    return jsonify(nom=source["nom"], genre=source["genre"])


@app.get("/logs")
def chercher():
    mots = urllib.parse.quote(request.args.get("q", "*"))
    trouve = elastic(f"/logstream-*/_search?ignore_unavailable=true&size=20&q={mots}")
    recherches = cache.incr("recherches")
    return jsonify(recherches=recherches, lignes=[ligne["_source"] for ligne in trouve["hits"]["hits"]])


@app.errorhandler(PyMongoError)
@app.errorhandler(redis.RedisError)
@app.errorhandler(urllib.error.URLError)
def panne(erreur):
    app.logger.warning("%s", erreur)
    return jsonify(erreur="un service ne répond pas"), 503
