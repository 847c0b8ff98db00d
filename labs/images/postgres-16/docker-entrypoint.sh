#!/usr/bin/env bash
# Same contract as the official image's entry point.
set -Eeo pipefail

# VAR or VAR_FILE, never both.
file_env() {
  local var=$1 file=$1_FILE def=${2:-}
  if [ "${!var:-}" ] && [ "${!file:-}" ]; then
    printf >&2 'error: both %s and %s are set (but are exclusive)\n' "$var" "$file"; exit 1
  fi
  if [ "${!var:-}" ]; then def=${!var}; elif [ "${!file:-}" ]; then def=$(< "${!file}"); fi
  export "$var=$def"; unset "$file"
}

_is_sourced() { [ "${#FUNCNAME[@]}" -ge 2 ] && [ "${FUNCNAME[0]}" = _is_sourced ] && [ "${FUNCNAME[1]}" = source ]; }

docker_create_db_directories() {
  local user; user=$(id -u)
  mkdir -p "$PGDATA"; chmod 00700 "$PGDATA" || :
  mkdir -p /var/run/postgresql || :; chmod 03777 /var/run/postgresql || :
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    [ "$user" != 0 ] || find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
    chmod 700 "$POSTGRES_INITDB_WALDIR"
  fi
  if [ "$user" = 0 ]; then
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
  fi
}

docker_setup_env() {
  file_env POSTGRES_PASSWORD
  file_env POSTGRES_USER postgres
  file_env POSTGRES_DB "$POSTGRES_USER"
  file_env POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  declare -g DATABASE_ALREADY_EXISTS=
  : "${DATABASE_ALREADY_EXISTS:=}"
  [ ! -s "$PGDATA/PG_VERSION" ] || DATABASE_ALREADY_EXISTS=true
}

docker_verify_minimum_env() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    cat >&2 <<'EOE'
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.
EOE
    exit 1
  fi
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    cat >&2 <<'EOE'
********************************************************************************
WARNING: POSTGRES_HOST_AUTH_METHOD has been set to "trust". This will allow
         anyone with access to the Postgres port to access your database without
         a password, even if POSTGRES_PASSWORD is set.
********************************************************************************
EOE
  fi
}

# True when initdb would give what was prepared in the image.
template_fits() {
  [ -z "$POSTGRES_INITDB_ARGS$POSTGRES_INITDB_WALDIR${TZ:-}${LC_ALL:-}" ] && [ "${LANG:-}" = en_US.utf8 ] && [ -z "$(ls -A "$PGDATA")" ]
}

docker_init_database_dir() {
  # An unknown uid (« user: 1234 ») needs a name for initdb: give it none to look up.
  if template_fits; then
    FROM_TEMPLATE=1
    cat /usr/local/pgsql/template/initdb.log
    (umask 077; cp -R /usr/local/pgsql/template/data/. "$PGDATA"/)
    chmod 700 "$PGDATA" || :
    return
  fi
  if ! getent passwd "$(id -u)" >/dev/null 2>&1; then
    echo "(l'utilisateur $(id -u) n'a pas de nom dans cette image : initdb peut le refuser)" >&2
  fi
  local wal=()
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || wal=(--waldir "$POSTGRES_INITDB_WALDIR")
  eval 'initdb --no-sync -c unix_socket_directories=/var/run/postgresql --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${wal[@]}" '"$POSTGRES_INITDB_ARGS"' "$@"'
}

# The prepared cluster belongs to « postgres »: give it the asked name and password.
adopt_template() {
  [ -n "${FROM_TEMPLATE:-}" ] || return 0
  { echo "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';"
    if [ "$POSTGRES_USER" != postgres ]; then
      echo 'CREATE ROLE tp_docker_init SUPERUSER; SET SESSION AUTHORIZATION tp_docker_init;'
      echo 'ALTER ROLE postgres RENAME TO :"name"; RESET SESSION AUTHORIZATION; DROP ROLE tp_docker_init;'
    fi
    [ -z "$POSTGRES_PASSWORD" ] || echo "\\getenv pw POSTGRES_PASSWORD
ALTER ROLE :\"name\" PASSWORD :'pw';"
  } | psql -v ON_ERROR_STOP=1 -v name="$POSTGRES_USER" -qX -U postgres -d postgres
}

pg_setup_hba_conf() {
  [ "$1" != postgres ] || shift
  local auth
  auth=$(postgres -C password_encryption "$@")
  : "${POSTGRES_HOST_AUTH_METHOD:=$auth}"
  { printf '\n'
    if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
      printf '# warning trust is enabled for all connections\n'
      printf '# see https://www.postgresql.org/docs/16/auth-trust.html\n'
    fi
    printf 'host all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD"
  } >> "$PGDATA/pg_hba.conf"
}

# Unix socket only, and no fsync: nobody else is there yet.
docker_temp_server_start() {
  [ "$1" != postgres ] || shift
  printf 'waiting for server to start...'
  postgres "$@" -c listen_addresses='' -c fsync=off -c full_page_writes=off -p "${PGPORT:-5432}" &
  TEMP_SERVER=$!
  local i
  for ((i = 0; i < 1500; i++)); do
    pg_isready -q -h /var/run/postgresql -p "${PGPORT:-5432}" -U postgres -d postgres && { printf ' done\nserver started\n'; return; }
    kill -0 "$TEMP_SERVER" 2>/dev/null || break
    sleep 0.02
  done
  printf ' stopped waiting\n' >&2; exit 1
}

docker_temp_server_stop() {
  printf 'waiting for server to shut down...'
  kill -INT "$TEMP_SERVER"; wait "$TEMP_SERVER" || :
  printf ' done\nserver stopped\n'
}

docker_process_sql() {
  local q=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
  [ -z "$POSTGRES_DB" ] || q+=(--dbname "$POSTGRES_DB")
  PGHOST=/var/run/postgresql PGHOSTADDR='' "${q[@]}" "$@"
}

docker_setup_db() {
  local found
  found=$(POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only <<< "SELECT 1 FROM pg_database WHERE datname = :'db';")
  if [ -z "$found" ]; then
    POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    printf '\n'
  fi
}

docker_process_init_files() {
  local f
  printf '\n'
  for f; do
    case $f in
      *.sh)
        if [ -x "$f" ]; then printf '%s: running %s\n' "$0" "$f"; "$f"
        else printf '%s: sourcing %s\n' "$0" "$f"; . "$f"; fi ;;
      *.sql)     printf '%s: running %s\n' "$0" "$f"; docker_process_sql -f "$f"; printf '\n' ;;
      *.sql.gz)  printf '%s: running %s\n' "$0" "$f"; gunzip -c "$f" | docker_process_sql; printf '\n' ;;
      *.sql.xz)  printf '%s: running %s\n' "$0" "$f"; xzcat "$f" | docker_process_sql; printf '\n' ;;
      *)         printf '%s: ignoring %s\n' "$0" "$f" ;;
    esac
    printf '\n'
  done
}

wants_help() {
  local a
  for a; do case $a in -'?'|--help|--describe-config|-V|--version) return 0 ;; esac; done
  return 1
}

_main() {
  [ "${1:0:1}" != - ] || set -- postgres "$@"
  if [ "$1" = postgres ] && ! wants_help "$@"; then
    docker_setup_env
    docker_create_db_directories
    if [ "$(id -u)" = 0 ]; then
      export HOME=/var/lib/postgresql
      exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$BASH_SOURCE" "$@"
    fi
    # The compiled-in socket directory is not the official one: say it when the
    # student's own configuration file does not.
    local conf
    conf=$(printf '%s\n' "$@" | sed -n 's/^\(--\)\?config[_-]file=//p' | tail -n 1)
    if [ -n "$conf" ] && ! grep -Eq '^[[:space:]]*unix_socket_directories' "$conf" 2>/dev/null && [[ "$*" != *unix_socket_directories* ]]; then
      set -- "$@" -c unix_socket_directories=/var/run/postgresql
    fi
    if [ -z "$DATABASE_ALREADY_EXISTS" ]; then
      docker_verify_minimum_env
      ls /docker-entrypoint-initdb.d/ > /dev/null
      docker_init_database_dir
      pg_setup_hba_conf "$@"
      export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
      docker_temp_server_start "$@"
      adopt_template
      docker_setup_db
      docker_process_init_files /docker-entrypoint-initdb.d/*
      docker_temp_server_stop
      unset PGPASSWORD
      printf '\nPostgreSQL init process complete; ready for start up.\n\n'
    else
      printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    fi
  fi
  exec "$@"
}

_is_sourced || _main "$@"
