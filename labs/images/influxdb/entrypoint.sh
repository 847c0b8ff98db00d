#!/usr/bin/env bash
# Same contract as the official image's entry point: DOCKER_INFLUXDB_INIT_* set the server up once.
set -eo pipefail
say() { printf '%s\t%s\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.000000000Z)" "$1" "$2"; }

# X, or the content of the file that X_FILE names.
file_env() {
  local var=DOCKER_INFLUXDB_INIT_$1 file=DOCKER_INFLUXDB_INIT_$1_FILE
  if [ -n "${!var:-}" ] && [ -n "${!file:-}" ]; then say error "both $var and $file are set (but are exclusive)"; exit 1; fi
  if [ -n "${!file:-}" ]; then
    [ -r "${!file}" ] || { say error "$file: ${!file} is not readable"; exit 1; }
    export "$var=$(< "${!file}")"
  fi
}

set_up() {
  local name var missing=
  for name in USERNAME PASSWORD ORG BUCKET ADMIN_TOKEN; do file_env "$name"; done
  for name in USERNAME PASSWORD ORG BUCKET; do
    var=DOCKER_INFLUXDB_INIT_$name
    [ -n "${!var:-}" ] || { say error "missing parameter, cannot init InfluxDB (needed: $var)"; missing=1; }
  done
  [ -z "$missing" ] || exit 1
  say info "initiating first-run setup"
  influxd --http-bind-address=127.0.0.1:9999 & pid=$!
  local i
  for ((i = 0; i < 600; i++)); do
    influx ping --host http://127.0.0.1:9999 >/dev/null 2>&1 && break
    kill -0 "$pid" 2>/dev/null || { say error "influxd exited during the setup"; exit 1; }
    sleep 0.05
  done
  local token=()
  [ -z "${DOCKER_INFLUXDB_INIT_ADMIN_TOKEN:-}" ] || token=(--token "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN")
  # Nothing is left of a setup that failed: the next start tries again.
  if ! influx setup --force --host http://127.0.0.1:9999 --username "$DOCKER_INFLUXDB_INIT_USERNAME" --password "$DOCKER_INFLUXDB_INIT_PASSWORD" \
    --org "$DOCKER_INFLUXDB_INIT_ORG" --bucket "$DOCKER_INFLUXDB_INIT_BUCKET" --retention "${DOCKER_INFLUXDB_INIT_RETENTION:-0}" "${token[@]}"; then
    say error "failed to set up InfluxDB"; kill "$pid"; exit 1
  fi
  sed -i 's#http://127.0.0.1:9999#http://localhost:8086#' "$INFLUX_CONFIGS_PATH"
  local script
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ -x "$script" ] || continue
    say info "running $script"; INFLUX_HOST=http://127.0.0.1:9999 "$script"
  done
  kill "$pid"; wait "$pid" || true
  say info "initialization complete, shutting down background influxd"
}

# An option, or a subcommand of influxd, is for influxd.
case ${1:-} in
  -*|run|'') set -- influxd "$@" ;;
esac
if [ "$1" = influxd ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p /var/lib/influxdb2 /etc/influxdb2
    find /var/lib/influxdb2 /etc/influxdb2 \! -user influxdb -exec chown influxdb:influxdb '{}' +
    export HOME=/home/influxdb
    exec setpriv --reuid=influxdb --regid=influxdb --clear-groups -- "$0" "$@"
  fi
  case ${DOCKER_INFLUXDB_INIT_MODE:-} in
    '') ;;
    setup) if [ -e /var/lib/influxdb2/tp-docker.json ]; then say info "found existing boltdb file, skipping setup wrapper"; else set_up; fi ;;
    *) say error "found invalid DOCKER_INFLUXDB_INIT_MODE '$DOCKER_INFLUXDB_INIT_MODE', valid values are 'setup' and 'upgrade'"; exit 1 ;;
  esac
fi
exec "$@"
