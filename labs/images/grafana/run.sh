#!/bin/sh
# Entry point: same checks, messages and `__FILE` variables as the official image's.
set -e

problem=
[ -r "$GF_PATHS_CONFIG" ] || { echo "GF_PATHS_CONFIG='$GF_PATHS_CONFIG' is not readable."; problem=1; }
[ -w "$GF_PATHS_DATA" ] || { echo "GF_PATHS_DATA='$GF_PATHS_DATA' is not writable."; problem=1; }
[ -r "$GF_PATHS_HOME" ] || { echo "GF_PATHS_HOME='$GF_PATHS_HOME' is not readable."; problem=1; }
[ -z "$problem" ] || echo "You may have issues with file permissions, more information here: http://docs.grafana.org/installation/docker/#migrate-to-v51-or-later"

[ -d "$GF_PATHS_PLUGINS" ] || mkdir "$GF_PATHS_PLUGINS"

# A variable GF_X__FILE names a file (a Docker secret) whose content becomes GF_X.
for name in $(env | sed -n 's/^\(GF_[^=]*\)__FILE=..*/\1/p'); do
  eval "value=\${$name:-}; file=\$${name}__FILE"
  if [ -n "$value" ]; then
    echo >&2 "ERROR: Both $name and ${name}__FILE are set (but are exclusive)"
    exit 1
  fi
  echo "Getting secret $name from $file"
  content=$(cat "$file")
  export "$name=$content"
  unset "${name}__FILE"
done

export HOME="$GF_PATHS_HOME"

if [ -n "$GF_INSTALL_PLUGINS" ]; then
  IFS=,
  for plugin in $GF_INSTALL_PLUGINS; do
    unset IFS
    grafana cli --pluginsDir "$GF_PATHS_PLUGINS" plugins install "$plugin"
  done
fi

exec grafana server \
  --homepath="$GF_PATHS_HOME" \
  --config="$GF_PATHS_CONFIG" \
  --packaging=docker \
  "$@" \
  cfg:default.log.mode="console" \
  cfg:default.paths.data="$GF_PATHS_DATA" \
  cfg:default.paths.logs="$GF_PATHS_LOGS" \
  cfg:default.paths.plugins="$GF_PATHS_PLUGINS" \
  cfg:default.paths.provisioning="$GF_PATHS_PROVISIONING"
