#!/usr/bin/env bash
mal=0
for un in zookeeper:2181 kafka:9092 kafka-ui:8080 postgres:5432 timescaledb:5432 influxdb:8086 redis:6379 minio:9000 mlflow:5000 prometheus:9090 grafana:3000 jaeger:14269; do
  if nc -z -w 3 "${un%:*}" "${un#*:}" 2>/dev/null; then echo "${un%:*} OK"; else echo "${un%:*} ECHEC"; mal=1; fi
done
exit $mal
