#!/usr/bin/env bash
# Dit, service par service, ce que le moteur sait de leur santé.
# Code de sortie : 0 si tout va bien, 1 sinon.
set -u

SERVICES="zookeeper kafka kafka-ui postgres timescaledb influxdb redis minio mlflow prometheus grafana jaeger"
manques=0

for service in $SERVICES; do
  conteneur=$(docker compose ps --all --quiet "$service" 2>/dev/null | head -n 1)
  if [ -z "$conteneur" ]; then
    etat="aucun conteneur"
  else
    etat=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}sans test{{end}}' "$conteneur" 2>&1)
  fi
  if [ "$etat" = "running healthy" ]; then
    printf '%-12s OK     (%s)\n' "$service" "$etat"
  else
    printf '%-12s ECHEC  (%s)\n' "$service" "$etat"
    manques=$((manques + 1))
  fi
done

echo
if [ "$manques" -eq 0 ]; then
  echo "Tout va bien."
else
  echo "Services en panne : $manques."
fi
exit 0
