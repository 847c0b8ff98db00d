#!/usr/bin/env bash
mal=0
for s in zookeeper kafka kafka-ui postgres timescaledb influxdb redis minio mlflow prometheus grafana jaeger; do
  if docker compose exec -T "$s" true 2>/dev/null; then echo "$s OK"; else echo "$s ECHEC"; mal=1; fi
done
exit $mal
