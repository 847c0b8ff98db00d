#!/bin/bash
# Same steps as the official image's: password to the keystore, secrets from files, then the server.
set -e
umask 0002

if [[ "$1" == eswrapper || $(basename "$1") == elasticsearch ]]; then
  set -- "${@:2}"
else
  exec "$@"
fi

source /usr/share/elasticsearch/bin/elasticsearch-env-from-file

# Settings of the modules that this image lacks would stop the server: they are dropped, and said.
absent='^(xpack\.(monitoring|ccr|graph|eql|rollup|slm|sql|enrich|apm_data|profiling|searchable|idp|ent_search)|ingest\.geoip|script\.painless|indices\.lifecycle|slm|reindex|repositories\.url)\.'
drop=()
while IFS= read -r -d '' entry; do
  name=${entry%%=*}
  [[ "$name" =~ $absent ]] || continue
  echo "WARNING: offline image: setting [$name] ignored, its module is not here" >&2
  drop+=(-u "$name")
done < /proc/self/environ

if [[ -n "$ELASTIC_PASSWORD" ]]; then
  [[ -f /usr/share/elasticsearch/config/elasticsearch.keystore ]] || elasticsearch-keystore create
  if ! elasticsearch-keystore has-passwd --silent; then
    if ! elasticsearch-keystore list | grep -q '^bootstrap.password$'; then
      echo "$ELASTIC_PASSWORD" | elasticsearch-keystore add -x bootstrap.password
    fi
  elif ! echo "$KEYSTORE_PASSWORD" | elasticsearch-keystore list | grep -q '^bootstrap.password$'; then
    COMMANDS=$(printf '%s\n%s' "$KEYSTORE_PASSWORD" "$ELASTIC_PASSWORD")
    echo "$COMMANDS" | elasticsearch-keystore add -x bootstrap.password
  fi
fi

exec env "${drop[@]}" /usr/share/elasticsearch/bin/elasticsearch "$@" $POSITIONAL_PARAMETERS <<<"$KEYSTORE_PASSWORD"
