#!/bin/sh
# Debian's build has Debian's default paths: give the official ones, relative to
# the working directory, unless an argument says otherwise.
real=/usr/libexec/prometheus/alertmanager
config='--config.file=alertmanager.yml' storage='--storage.path=data/'
for a in "$@"; do
  case $a in
    -h|--help|--help-*|--version) exec "$real" "$@" ;;
    --config.file|--config.file=*) config= ;;
    --storage.path|--storage.path=*) storage= ;;
  esac
done
exec "$real" ${config:+"$config"} ${storage:+"$storage"} "$@"
