#!/bin/sh
# grafana, grafana-server and grafana-cli: one Node.js program.
case ${0##*/} in
  grafana-server) set -- server "$@" ;;
  grafana-cli) set -- cli "$@" ;;
esac
# The system's certificates, read only when a data source is asked over TLS (start is faster so).
unset NODE_EXTRA_CA_CERTS
exec /usr/local/bin/node --use-openssl-ca /usr/share/grafana/double/server.js "$@"
