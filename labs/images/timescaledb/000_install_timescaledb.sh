#!/bin/bash
# As in the official image: the extension is in the database of the student and in those made later.
# A folder mounted over this one hides this file, there too.
install_timescaledb() {
  local db
  echo "timescaledb.telemetry_level=${TIMESCALEDB_TELEMETRY:-off}" >> "$PGDATA/postgresql.conf"
  for db in postgres template1 "${POSTGRES_DB:-postgres}"; do
    # The job that trims the history of jobs is not in this edition: it would only fill the log with errors.
    psql -qX --username "$POSTGRES_USER" --dbname "$db" <<'SQL'
SET client_min_messages = error;
BEGIN;
CREATE EXTENSION IF NOT EXISTS timescaledb CASCADE;
UPDATE _timescaledb_config.bgw_job SET scheduled = false WHERE proc_name = 'policy_job_stat_history_retention';
COMMIT;
SQL
  done
}
install_timescaledb
