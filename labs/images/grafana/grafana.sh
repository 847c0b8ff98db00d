#!/bin/sh
# grafana, grafana-server and grafana-cli: one Node.js program.
case ${0##*/} in
  grafana-server) set -- server "$@" ;;
  grafana-cli) set -- cli "$@" ;;
esac
exec /usr/local/bin/node /usr/share/grafana/double/server.js "$@"
