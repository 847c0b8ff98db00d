#!/bin/sh
# NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE: as many workers as usable cores.
set -e
[ -n "${NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE:-}" ] || exit 0
conf=/etc/nginx/nginx.conf
touch "$conf" 2>/dev/null || exit 0
t=$(sed -E "s/^worker_processes.*/worker_processes  $(nproc);/" "$conf"); printf '%s\n' "$t" > "$conf"
