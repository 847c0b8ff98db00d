#!/bin/sh
# « listen [::]:80 » is added to the untouched default.conf.
set -e
me=$(basename "$0"); conf=/etc/nginx/conf.d/default.conf
log() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$me: $*"; }
[ -f /proc/net/if_inet6 ] || { log "info: ipv6 not available"; exit 0; }
[ -f "$conf" ] || { log "info: $conf is not a file or does not exist"; exit 0; }
touch "$conf" 2>/dev/null || { log "info: can not modify $conf (read-only file system?)"; exit 0; }
! grep -q 'listen.*\[::\]:80;' "$conf" || { log "info: IPv6 listen already enabled"; exit 0; }
[ "$(md5sum < "$conf")" = "$(md5sum < /usr/share/tp-docker/nginx-default.conf)" ] || { log "info: $conf differs from the packaged version"; exit 0; }
t=$(sed 's/^\( *\)listen  *80;/&\n\1listen  [::]:80;/' "$conf"); printf '%s\n' "$t" > "$conf"
log "info: Enabled listen on IPv6 in $conf"
