"""Application « Mesures » : petite, mais elle sait dire qui elle est."""
import socket
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils.html import format_html

NOM = "app5"

PAGE = """<!doctype html>
<html lang="fr">
<head>
  <meta charset="utf-8">
  <title>Mesures</title>
  <link rel="stylesheet" href="{}">
</head>
<body>
  <h1>Mesures</h1>
  <p>Vous êtes chez <code>{}</code>, servi par <code>{}</code>.</p>
  <p><a href="{}?jeton=bonjour">Suivre la redirection</a></p>
</body>
</html>
"""


def carte(requete):
    """Qui répond, et à quoi."""
    jeton = requete.GET.get("jeton", "")
    return JsonResponse({"application": NOM, "instance": socket.gethostname(), "jeton": jeton})


def accueil(_requete):
    page = format_html(PAGE, static("style.css"), NOM, socket.gethostname(), reverse("depart"))
    return HttpResponse(page)


def depart(requete):
    jeton = requete.GET.get("jeton", "")
    return redirect(reverse("arrivee") + "?" + urlencode({"jeton": jeton}))


urlpatterns = [
    path("", accueil),
    path("qui", carte),
    path("depart", depart, name="depart"),
    path("arrivee", carte, name="arrivee"),
]
