#!/bin/sh
# The official image is compiled with « protected-mode no »: same default here,
# unless an argument or the configuration file says otherwise.
case " $* " in
  *" --protected-mode "*|*" -v "*|*" --version "*|*" -h "*|*" --help "*|*" --test-memory "*|*" --check-system "*|*" --sentinel "*|" - "*)
    exec /usr/bin/redis-server "$@" ;;
esac
if [ -n "$1" ] && [ -r "$1" ] && grep -Eqi '^[[:space:]]*(protected-mode|include)[[:space:]]' "$1"; then
  exec /usr/bin/redis-server "$@"
fi
exec /usr/bin/redis-server "$@" --protected-mode no
