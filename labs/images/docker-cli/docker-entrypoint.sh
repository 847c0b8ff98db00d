#!/bin/sh
set -e
# An option, or a subcommand of docker, is for docker.
if [ "${1#-}" != "$1" ]; then
  set -- docker "$@"
elif [ $# -gt 0 ] && ! command -v "$1" >/dev/null 2>&1 && docker help "$1" >/dev/null 2>&1; then
  set -- docker "$@"
fi
# Without a socket, the engine is the neighbour called « docker », as in the official image.
if [ -z "$DOCKER_HOST" ] && [ ! -S /var/run/docker.sock ]; then
  if [ -z "${DOCKER_TLS_VERIFY:-}" ] && [ ! -s "${DOCKER_CERT_PATH:-/certs/client}/ca.pem" ]; then export DOCKER_HOST=tcp://docker:2375
  else export DOCKER_HOST=tcp://docker:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH="${DOCKER_CERT_PATH:-/certs/client}"
  fi
fi
exec "$@"
