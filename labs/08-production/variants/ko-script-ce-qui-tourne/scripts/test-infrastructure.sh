#!/usr/bin/env bash
mal=0
while read -r service sante; do
  if [ "$sante" = healthy ]; then echo "$service OK"; else echo "$service ECHEC"; mal=1; fi
done < <(docker compose ps --format '{{.Service}} {{.Health}}')
exit $mal
