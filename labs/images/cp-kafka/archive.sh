#!/usr/bin/env bash
# Starts ZooKeeper, Kafka and the usual tools once, and keeps the list of the classes that they load:
# Java then reads these, already prepared, from one archive.
set -euo pipefail
work=$(mktemp -d); cd "$work"
list() { TP_JAVA_OPTS="-Xshare:off -XX:DumpLoadedClassList=$work/$1.list"; export TP_JAVA_OPTS; }
printf 'dataDir=%s/zk\nclientPort=2181\nadmin.enableServer=false\n' "$work" > zk.properties
printf 'broker.id=1\nzookeeper.connect=localhost:2181\nlisteners=PLAINTEXT://localhost:9092\nlog.dirs=%s/logs\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n' "$work" > kafka.properties
list zk; KAFKA_HEAP_OPTS=-Xmx256M zookeeper-server-start zk.properties > zk.log 2>&1 & zk=$!
cub zk-ready localhost:2181 120
list kafka; KAFKA_HEAP_OPTS=-Xmx512M kafka-server-start kafka.properties > kafka.log 2>&1 & kafka=$!
list api; cub kafka-ready -b localhost:9092 1 180
list topics; kafka-topics --bootstrap-server localhost:9092 --create --topic t
list producer; echo hello | kafka-console-producer --bootstrap-server localhost:9092 --topic t
list consumer; kafka-console-consumer --bootstrap-server localhost:9092 --topic t --from-beginning --max-messages 1 --timeout-ms 60000
list groups; kafka-consumer-groups --bootstrap-server localhost:9092 --list
list shell; zookeeper-shell localhost:2181 ls /brokers/ids < /dev/null
kill "$kafka"; wait "$kafka" || true; kill "$zk"; wait "$zk" || true
# Classes of other loaders than the usual ones cannot be archived this way.
cat ./*.list | grep -v -e ' id: ' -e '^#' | awk '!seen[$0]++' > all.list
wc -l all.list
java -Xshare:dump -XX:SharedClassListFile=all.list -XX:SharedArchiveFile=/usr/share/java/kafka/kafka.jsa \
  -Xlog:cds=off -Xlog:cds+heap=off -Xlog:all=off:stdout -cp "$(cat /usr/share/java/kafka/classpath)" > dump.log 2>&1 || { tail -30 dump.log; exit 1; }
cd /; rm -rf "$work"; ls -l /usr/share/java/kafka/kafka.jsa
