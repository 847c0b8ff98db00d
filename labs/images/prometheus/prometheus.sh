#!/bin/sh
# Debian's build has Debian's default paths: give the official ones, relative to
# the working directory, unless an argument says otherwise.
has() { # $1 flag; the rest: the arguments
  flag=$1; shift
  for a in "$@"; do case $a in "$flag"|"$flag"=*) return 0 ;; esac; done
  return 1
}
agent=
for a in "$@"; do
  case $a in
    -h|--help|--help-*|--version) exec /usr/libexec/prometheus/prometheus "$@" ;;
    *--enable-feature*agent*) agent=1 ;;
  esac
done
has --config.file "$@" || set -- "$@" --config.file=prometheus.yml
has --web.console.libraries "$@" || set -- "$@" --web.console.libraries=console_libraries
has --web.console.templates "$@" || set -- "$@" --web.console.templates=consoles
if [ -n "$agent" ]; then
  has --storage.agent.path "$@" || set -- "$@" --storage.agent.path=data-agent/
else
  has --storage.tsdb.path "$@" || set -- "$@" --storage.tsdb.path=data/
fi
exec /usr/libexec/prometheus/prometheus "$@"
