#!/bin/sh
# su-exec and gosu: run a command as USER[:GROUP].
case $1 in --version|-v) echo "1.17 (setpriv, image hors ligne de TP Docker)"; exit 0 ;; esac
[ $# -ge 2 ] || { echo "Usage: ${0##*/} user-spec command [args]" >&2; exit 1; }
u=${1%%:*} g=; case $1 in *:*) g=${1#*:} ;; esac; shift
home=$(getent passwd "$u" | cut -d: -f6); [ -z "$home" ] || export HOME="$home"
if [ -n "$g" ]; then exec setpriv --reuid="$u" --regid="$g" --clear-groups -- "$@"; fi
[ -n "$home" ] || exec setpriv --reuid="$u" --clear-groups -- "$@"
exec setpriv --reuid="$u" --regid="$(id -g "$u")" --init-groups -- "$@"
