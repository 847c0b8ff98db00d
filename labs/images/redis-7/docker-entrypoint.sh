#!/bin/sh
set -e
# Options or a configuration file alone are for redis-server.
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
  set -- redis-server "$@"
fi
case $1 in
  redis-server|redis-sentinel)
    if [ "$(id -u)" = 0 ]; then
      find . \! -user redis -exec chown redis '{}' + 2>/dev/null || true
      export HOME=/data
      exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
    fi
    [ "$(umask)" != 0022 ] || umask 0077 ;;
esac
exec "$@"
