CREATE ROLE lecteur LOGIN PASSWORD 'lecture-seule';
