#!/usr/bin/env bash
# Chaque interface web par localhost, les autres par le moteur.
mal=0
dire() { if [ "$2" = 0 ]; then echo "$1 OK"; else echo "$1 ECHEC"; mal=1; fi; }
for s in zookeeper kafka postgres timescaledb influxdb redis minio mlflow prometheus jaeger kafka-ui; do
  [ "$(docker inspect -f '{{.State.Health.Status}}' "$(docker compose ps -aq "$s")" 2>/dev/null)" = healthy ]
  dire "$s" $?
done
curl -fs -m 3 -o /dev/null http://localhost:3001/api/health; dire grafana $?
exit $mal
