import unittest

from app import NOM, app


class Routes(unittest.TestCase):
    def setUp(self):
        self.client = app.test_client()

    def test_qui(self):
        reponse = self.client.get("/qui?jeton=abc").get_json()
        self.assertEqual((reponse["application"], reponse["jeton"]), (NOM, "abc"))

    def test_prefixe(self):
        reponse = self.client.get("/depart?jeton=abc", headers={"X-Forwarded-Prefix": "/sous"})
        self.assertEqual(reponse.headers["Location"], "/sous/arrivee?jeton=abc")


if __name__ == "__main__":
    unittest.main()
