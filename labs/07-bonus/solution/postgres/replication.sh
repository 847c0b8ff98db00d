#!/bin/sh
# A physical copy is made through a replication connection, which « all » does not cover.
echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
