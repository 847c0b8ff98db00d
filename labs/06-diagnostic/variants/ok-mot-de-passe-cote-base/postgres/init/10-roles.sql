-- Exécuté une seule fois, quand le volume est vide. Chaque application a son rôle et sa table.

CREATE ROLE catalogue LOGIN PASSWORD 'f94c098cce';
CREATE SCHEMA catalogue AUTHORIZATION catalogue;
CREATE TABLE catalogue.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE catalogue.fiches OWNER TO catalogue;
INSERT INTO catalogue.fiches VALUES ('1', 'première fiche de catalogue');

CREATE ROLE panier LOGIN PASSWORD 'ebf1fad995';
CREATE SCHEMA panier AUTHORIZATION panier;
CREATE TABLE panier.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE panier.fiches OWNER TO panier;
INSERT INTO panier.fiches VALUES ('1', 'première fiche de panier');

CREATE ROLE commandes LOGIN PASSWORD 'a6a84b3047';
CREATE SCHEMA commandes AUTHORIZATION commandes;
CREATE TABLE commandes.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE commandes.fiches OWNER TO commandes;
INSERT INTO commandes.fiches VALUES ('1', 'première fiche de commandes');

CREATE ROLE clients LOGIN PASSWORD '244e0d5d94';
CREATE SCHEMA clients AUTHORIZATION clients;
CREATE TABLE clients.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE clients.fiches OWNER TO clients;
INSERT INTO clients.fiches VALUES ('1', 'première fiche de clients');

CREATE ROLE stocks LOGIN PASSWORD 'ee73d78dc4';
CREATE SCHEMA stocks AUTHORIZATION stocks;
CREATE TABLE stocks.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE stocks.fiches OWNER TO stocks;
INSERT INTO stocks.fiches VALUES ('1', 'première fiche de stocks');

CREATE ROLE avis LOGIN PASSWORD '14ffc8bca1';
CREATE SCHEMA avis AUTHORIZATION avis;
CREATE TABLE avis.fiches (ref text PRIMARY KEY, texte text NOT NULL);
ALTER TABLE avis.fiches OWNER TO avis;
INSERT INTO avis.fiches VALUES ('1', 'première fiche de avis');
