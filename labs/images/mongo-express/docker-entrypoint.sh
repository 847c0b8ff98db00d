#!/bin/bash
# Another command is run as it is; mongo-express first waits a little for the server that is named.
set -eo pipefail
[ "$1" = mongo-express ] || exec "$@"

if [[ "$ME_CONFIG_MONGODB_SERVER" != *,* ]]; then
  port=${ME_CONFIG_MONGODB_PORT:-27017}
  echo "Waiting for $ME_CONFIG_MONGODB_SERVER:$port..."
  for ((try = 1; try < ${ME_CONFIG_CONNECT_RETRIES:-5}; try++)); do
    # Without a server's name (a whole URL is given) the official image fails its first try and goes on too.
    (exec 6<>"/dev/tcp/$ME_CONFIG_MONGODB_SERVER/$port") && break
    sleep 1
    echo "$(date) retrying to connect to $ME_CONFIG_MONGODB_SERVER:$port ($((try + 1))/${ME_CONFIG_CONNECT_RETRIES:-5})"
  done
fi
exec node app
