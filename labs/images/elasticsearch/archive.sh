#!/bin/bash
# Run once at build: starts the server and its launcher to archive the classes they read (class data sharing).
set -eu
cd /usr/share/elasticsearch
mkdir cds
options=config/jvm.options.d/00-offline.options
cp "$options" /tmp/keep; sed -i '/SharedArchiveFile/d' "$options"
ES_JAVA_OPTS=-XX:ArchiveClassesAtExit=/usr/share/elasticsearch/cds/server.jsa bin/elasticsearch \
  -Ediscovery.type=single-node -Expack.security.enabled=false -Epath.data=/tmp/data -Epath.logs=/tmp/logs > /tmp/es.log 2>&1 &
server=$!
for _ in $(seq 240); do
  curl -fs 'http://localhost:9200/_cluster/health?wait_for_status=green&timeout=1s' >/dev/null && break
  kill -0 $server || { tail -n 20 /tmp/es.log; exit 1; }
  sleep 0.5
done
json='content-type: application/json'
curl -fs -XPOST 'http://localhost:9200/warm/_doc?refresh=true' -H "$json" -d '{"message":"one line","@timestamp":"2026-01-01T00:00:00Z"}' >/dev/null
curl -fs 'http://localhost:9200/warm/_search?q=message:line' >/dev/null
kill $server; wait $server || true
cp /tmp/keep "$options"
test -s cds/server.jsa
CLI_JAVA_OPTS=-XX:ArchiveClassesAtExit=/usr/share/elasticsearch/cds/cli.jsa bin/elasticsearch-keystore list >/dev/null
test -s cds/cli.jsa
rm -rf config/elasticsearch.keystore /tmp/data /tmp/logs /tmp/keep /tmp/es.log logs/* .cache
sed -i 's#^CLI_JAVA_OPTS="\(.*\)"#CLI_JAVA_OPTS="-XX:SharedArchiveFile=$ES_HOME/cds/cli.jsa -XX:TieredStopAtLevel=1 \1"#' bin/elasticsearch-cli
grep -q cli.jsa bin/elasticsearch-cli
