# Shared by the steps of the entry point.
set -o nounset -o errexit
[ -z "${TRACE:-}" ] || set -o xtrace

# Ends the container when a variable is not given, as the official « dub ensure ».
ensure() {
  [ -n "${!1-}" ] || { echo "$1 is required."; echo "Command [/usr/local/bin/dub ensure $1] FAILED !"; exit 1; }
}

# KAFKA_A_B__C___D=x becomes a.b_c-d=x; names in $2… are left out.
to_properties() { # $1 prefix
  local prefix=$1 name key skip; shift
  while IFS= read -r name; do
    skip=
    for key; do [ "$name" != "$key" ] || skip=1; done
    [ -z "$skip" ] || continue
    key=${name#"$prefix"}
    key=${key//___/-}; key=${key//__/$'\1'}; key=${key//_/.}; key=${key//$'\1'/_}
    printf '%s=%s\n' "${key,,}" "${!name}"
  done < <(compgen -e | grep "^$prefix" | sort)
}

# logger=LEVEL pairs of $1, one a line.
loggers() {
  local pair
  IFS=, read -ra pairs <<< "$1"
  for pair in "${pairs[@]}"; do echo "log4j.logger.${pair%%=*}=${pair#*=}"; done
}

set_log_levels() {
  [ -z "${KAFKA_LOG4J_ROOT_LOGLEVEL:-}" ] || sed -i "s/^log4j.rootLogger=.*/log4j.rootLogger=$KAFKA_LOG4J_ROOT_LOGLEVEL, stdout/" /etc/kafka/log4j.properties
  [ -z "${KAFKA_LOG4J_LOGGERS:-}" ] || loggers "$KAFKA_LOG4J_LOGGERS" >> /etc/kafka/log4j.properties
  [ -z "${KAFKA_TOOLS_LOG4J_LOGLEVEL:-}" ] || sed -i "s/^log4j.rootLogger=.*/log4j.rootLogger=$KAFKA_TOOLS_LOG4J_LOGLEVEL, stderr/" /etc/kafka/tools-log4j.properties
}
