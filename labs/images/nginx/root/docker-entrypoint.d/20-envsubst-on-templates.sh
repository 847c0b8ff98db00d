#!/bin/sh
# /etc/nginx/templates/X.conf.template becomes /etc/nginx/conf.d/X.conf.
set -e
me=$(basename "$0")
log() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$me: $*"; }
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
filter=${NGINX_ENVSUBST_FILTER:-}
vars=$(awk -v f="$filter" 'BEGIN { for (n in ENVIRON) if (n ~ f) printf "${%s} ", n }')

render() { # $1 suffix, $2 output directory
  find "$templates" -follow -type f -name "*$1" | while read -r t; do
    rel=${t#"$templates/"}; out=$2/${rel%"$1"}
    mkdir -p "$(dirname "$out")"
    log "Running envsubst on $t to $out"
    envsubst "$vars" < "$t" > "$out"
  done
}

[ -d "$templates" ] || exit 0
out=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
if [ ! -w "$out" ]; then log "ERROR: $templates exists, but $out is not writable"; exit 0; fi
render "${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}" "$out"

suffix=${NGINX_ENVSUBST_STREAM_TEMPLATE_SUFFIX:-.stream-template}
sout=${NGINX_ENVSUBST_STREAM_OUTPUT_DIR:-/etc/nginx/stream-conf.d}
if find "$templates" -follow -type f -name "*$suffix" | grep -q .; then
  mkdir -p "$sout"
  grep -Eq "stream-conf\.d" /etc/nginx/nginx.conf || printf 'stream {\n  include %s/*.conf;\n}\n' "$sout" >> /etc/nginx/nginx.conf
  render "$suffix" "$sout"
fi
