#!/bin/sh
# Une ligne avant les autres : ce rôle entre sans mot de passe.
sed -i '1i host all panier all trust' "$PGDATA/pg_hba.conf"
