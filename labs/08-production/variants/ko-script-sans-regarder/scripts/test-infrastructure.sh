#!/usr/bin/env bash
for s in zookeeper kafka kafka-ui postgres timescaledb influxdb redis minio mlflow prometheus grafana jaeger; do
  echo "$s OK"
done
