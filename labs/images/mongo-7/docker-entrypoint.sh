#!/bin/bash
# Same steps as the official image's: user, first account, initialisation scripts, then the server.
set -Eeuo pipefail

if [ "${1:0:1}" = '-' ]; then set -- mongod "$@"; fi
if [ "$1" = mongod ] && [ "$(id -u)" = 0 ]; then
  find /data/db /data/configdb \! -user mongodb -exec chown mongodb '{}' +
  exec setpriv --reuid=mongodb --regid=mongodb --clear-groups -- "$BASH_SOURCE" "$@"
fi

# A variable X_FILE names a file (a Docker secret) whose content becomes X.
file_env() {
  local var=$1 file=${1}_FILE
  if [ -n "${!var:-}" ] && [ -n "${!file:-}" ]; then
    echo >&2 "error: both $var and $file are set (but are exclusive)"; exit 1
  fi
  if [ -n "${!file:-}" ]; then export "$var=$(< "${!file}")"; fi
  unset "$file"
}

if [ "$1" = mongod ]; then
  file_env MONGO_INITDB_ROOT_USERNAME
  file_env MONGO_INITDB_ROOT_PASSWORD
  user=${MONGO_INITDB_ROOT_USERNAME:-} password=${MONGO_INITDB_ROOT_PASSWORD:-}
  if [ -n "$user" ] && [ -z "$password" ] || [ -z "$user" ] && [ -n "$password" ]; then
    echo >&2 'error: missing "MONGO_INITDB_ROOT_USERNAME" or "MONGO_INITDB_ROOT_PASSWORD"'
    echo >&2 '       both must be specified for a user to be created'
    exit 1
  fi
  account=()
  if [ -n "$user" ]; then set -- "$@" --auth; account=(--auth --setup-username "$user" --setup-password "$password"); fi
  data=/data/db previous=
  for arg; do
    case $arg in --dbpath=*) data=${arg#*=} ;; esac
    [ "$previous" != --dbpath ] || data=$arg
    previous=$arg
  done

  shopt -s nullglob
  files=(/docker-entrypoint-initdb.d/*)
  shopt -u nullglob
  if [ ! -e "$data/state.json" ] && { [ -n "$user" ] || [ ${#files[@]} -gt 0 ]; }; then
    mongod --bind_ip 127.0.0.1 --port 27017 --dbpath "$data" "${account[@]}" & server=$!
    for ((i = 0; ; i++)); do
      (: < /dev/tcp/127.0.0.1/27017) 2>/dev/null && break
      if [ $i -ge 600 ] || ! kill -0 $server 2>/dev/null; then
        echo >&2 'error: the server did not accept connections; aborting the initialisation'; rm -f "$data/state.json"; exit 1
      fi
      sleep 0.05
    done
    shell=(mongosh --host 127.0.0.1 --port 27017 --quiet)
    [ -z "$user" ] || shell+=(--username "$user" --password "$password" --authenticationDatabase admin)
    export MONGO_INITDB_DATABASE="${MONGO_INITDB_DATABASE:-test}"
    echo
    for f in "${files[@]}"; do
      case $f in
        *.sh) echo "$0: running $f"; . "$f" ;;
        *.js) echo "$0: running $f"; "${shell[@]}" "$MONGO_INITDB_DATABASE" "$f"; echo ;;
        *) echo "$0: ignoring $f" ;;
      esac
      echo
    done
    kill "$server"; wait "$server" || true
    echo; echo 'MongoDB init process complete; ready for start up.'; echo
  fi
  # As in the official image: reachable from everywhere unless an argument says otherwise.
  case " $* " in *" --bind_ip"*) ;; *) set -- "$@" --bind_ip_all ;; esac
  unset MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_DATABASE
fi

exec "$@"
