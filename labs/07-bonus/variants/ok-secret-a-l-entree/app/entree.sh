#!/bin/sh
# The environment of a process is not that of its container.
DB_PASSWORD=$(cat /run/secrets/mot_de_passe_bdd)
export DB_PASSWORD
exec "$@"
