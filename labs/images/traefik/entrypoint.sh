#!/bin/sh
set -e

# An option first: it is for traefik.
if [ "${1#-}" != "$1" ]; then
  set -- traefik "$@"
fi

# A subcommand of traefik (version, healthcheck…) goes to it too; anything else is run as it is.
if traefik "$1" --help >/dev/null 2>&1; then
  set -- traefik "$@"
else
  echo "= '$1' is not a Traefik command: assuming shell execution." 1>&2
fi

exec "$@"
