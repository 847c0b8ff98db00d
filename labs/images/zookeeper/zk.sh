#!/usr/bin/env bash
# zkServer.sh and zkCli.sh.
home=/apache-zookeeper-3.8.4-bin
java=(java -XX:TieredStopAtLevel=1 -Xshare:auto "-Dzookeeper.log.dir=$ZOO_LOG_DIR" "-Dlog4j.configuration=file:$ZOO_CONF_DIR/log4j.properties"
  -cp "$home/lib/*:$ZOO_CONF_DIR${CLASSPATH:+:$CLASSPATH}")
# shellcheck disable=SC2206
server=("-Xmx${ZK_SERVER_HEAP:-1000}m" $JVMFLAGS $SERVER_JVMFLAGS)
# shellcheck disable=SC2206
client=("-Xmx${ZK_CLIENT_HEAP:-256}m" $JVMFLAGS $CLIENT_JVMFLAGS)
if [ "${0##*/}" = zkCli.sh ]; then
  exec "${java[@]}" "${client[@]}" -Dlog4j.rootLogger=WARN,stderr org.apache.zookeeper.ZooKeeperMain "$@"
fi
config=$ZOO_CONF_DIR/zoo.cfg
if [ "$1" = --config ]; then config=$2/zoo.cfg; shift 2; fi
case $1 in
  start-foreground)
    echo "ZooKeeper JMX enabled by default" >&2
    echo "Using config: $config" >&2
    exec "${java[@]}" "${server[@]}" org.apache.zookeeper.server.quorum.QuorumPeerMain "${2:-$config}" ;;
  status)
    echo "ZooKeeper JMX enabled by default" >&2
    echo "Using config: $config" >&2
    port=$(sed -n 's/^[[:space:]]*clientPort=//p; s/^server\.[^;]*;\(.*:\)\{0,1\}\([0-9]*\)$/\2/p' "$config" 2>/dev/null | head -n 1)
    echo "Client port found: ${port:=2181}. Client address: localhost. Client SSL: false."
    if mode=$(echo srvr | timeout 5 nc -w 4 localhost "$port" 2>/dev/null | grep '^Mode:'); then echo "$mode"
    else echo "Error contacting service. It is probably not running."; exit 1
    fi ;;
  version) echo "Apache ZooKeeper, version 3.8.4 (image hors ligne de TP Docker)" ;;
  *) echo "Usage: $0 [--config <conf-dir>] {start-foreground|status|version}" >&2; exit 1 ;;
esac
