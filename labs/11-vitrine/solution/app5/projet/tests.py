from django.test import SimpleTestCase

from projet.urls import NOM


class Routes(SimpleTestCase):
    def test_qui(self):
        reponse = self.client.get("/qui?jeton=abc").json()
        self.assertEqual((reponse["application"], reponse["jeton"]), (NOM, "abc"))

    def test_redirection(self):
        self.assertEqual(self.client.get("/depart?jeton=abc").headers["Location"], "/arrivee?jeton=abc")
