#!/bin/sh
# Un conteneur par service, trouvé par son étiquette.
vert=$(printf '\033[32m'); rouge=$(printf '\033[31m'); fin=$(printf '\033[0m')
echo "=== État de l'infrastructure ==="
code=0
for s in zookeeper kafka kafka-ui postgres timescaledb influxdb redis minio mlflow prometheus grafana jaeger; do
  ligne=$(docker ps -a --filter "label=com.docker.compose.service=$s" --format '{{.State}} {{.Status}}' | head -n 1)
  bien=non
  case "$ligne" in running*"(healthy)"*) bien=oui ;; esac
  case "$s" in
    grafana) curl -fs -m 5 -o /dev/null http://grafana:3000/api/health || bien=non ;;
    prometheus) curl -fs -m 5 -o /dev/null http://prometheus:9090/-/healthy || bien=non ;;
  esac
  if [ "$bien" = oui ]; then
    echo "${vert}[OK]${fin} $s : $ligne"
  else
    echo "${rouge}[ÉCHEC]${fin} $s : ${ligne:-pas de conteneur}"
    code=1
  fi
done
exit "$code"
