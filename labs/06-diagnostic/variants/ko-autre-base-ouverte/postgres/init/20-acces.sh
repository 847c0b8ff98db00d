#!/bin/sh
{ echo "host postgres all all trust"; cat "$PGDATA/pg_hba.conf"; } > /tmp/hba && cat /tmp/hba > "$PGDATA/pg_hba.conf"
