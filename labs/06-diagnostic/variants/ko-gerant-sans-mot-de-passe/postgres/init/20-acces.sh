#!/bin/sh
{ echo "host all gerant all trust"; cat "$PGDATA/pg_hba.conf"; } > /tmp/hba && cat /tmp/hba > "$PGDATA/pg_hba.conf"
