#!/bin/sh
# Debian's build has other defaults: give the official ones, unless an argument decides.
real=/usr/libexec/prometheus/node_exporter
systemd='--no-collector.systemd' textfile='--collector.textfile.directory='
mounts='--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)'
for a in "$@"; do
  case $a in
    -h|--help|--help-*|--version) exec "$real" "$@" ;;
    --collector.systemd|--no-collector.systemd) systemd= ;;
    --collector.textfile.directory|--collector.textfile.directory=*) textfile= ;;
    --collector.filesystem.mount-points-*|--collector.filesystem.ignored-mount-points*) mounts= ;;
  esac
done
exec "$real" ${systemd:+"$systemd"} ${textfile:+"$textfile"} ${mounts:+"$mounts"} "$@"
