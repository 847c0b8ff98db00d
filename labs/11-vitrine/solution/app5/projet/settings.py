import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# Rien n'est signé ici : une clé neuve à chaque démarrage suffit.
SECRET_KEY = secrets.token_hex(32)
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "projet.urls"
WSGI_APPLICATION = "projet.wsgi.application"
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Sert les fichiers statiques sans serveur à part.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
]
# Le chemin sous lequel l'application est publiée, par exemple « /app1 » ; vide : à la racine.
FORCE_SCRIPT_NAME = os.environ.get("PREFIXE") or None
# Ce que la page demande, préfixe compris ; ce que l'application reçoit, préfixe retiré.
STATIC_URL = (FORCE_SCRIPT_NAME or "") + "/static/"
WHITENOISE_STATIC_PREFIX = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
