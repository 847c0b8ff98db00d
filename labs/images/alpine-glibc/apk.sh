#!/bin/sh
# apk in the shape of Alpine's, done by apt-get: enough for the usual Dockerfiles.
names=/usr/share/tp-docker/apk-names
die() { echo "ERROR: $*" >&2; exit 1; }
cmd= pkgs= nocache= quiet=
while [ $# -gt 0 ]; do
  case $1 in
    --virtual|-t|--repository|-X|--root|-p|--keys-dir|--cache-dir|--wait|--arch) shift ;;
    -t?*|--*=*) ;;
    --no-cache) nocache=1 ;;
    -q|--quiet) quiet=1 ;;
    --version|-V) echo "apk-tools 2.14.9 (apt-get, image hors ligne de TP Docker)"; exit 0 ;;
    -e|--installed) installed=1 ;;
    -*) ;;
    *) if [ -z "$cmd" ]; then cmd=$1; else pkgs="$pkgs $1"; fi ;;
  esac
  shift
done
plain() { p=${1%%[=<>~@]*}; echo "${p#!}"; }
debian_names() { # Debian names of Alpine package $1
  if line=$(grep -E -m 1 "^$(printf '%s' "$1" | sed 's/[.+*]/\\&/g')( |\$)" "$names"); then
    echo "${line#"$1"}"; return
  fi
  case $1 in
    py3-*) echo "python3-${1#py3-}" ;;
    *-doc|*-lang|*-openrc|*-bash-completion) ;;
    *) echo "$1" ;;
  esac
}
case $cmd in
  add)
    [ -n "$pkgs" ] || exit 0
    [ "$(id -u)" = 0 ] || die "Unable to lock database: Permission denied"
    want=
    for p in $pkgs; do
      n=$(plain "$p"); want="$want $(debian_names "$n")"
      case $n in su-exec|gosu) ln -sf /usr/share/tp-docker/su-exec "/sbin/$n" ;; esac
    done
    missing=
    for d in $want; do
      [ "$(dpkg-query -W -f '${db:Status-Status}' "$d" 2>/dev/null)" = installed ] || missing="$missing $d"
    done
    if [ -n "$missing" ]; then
      echo "fetch : paquets de Debian (image hors ligne de TP Docker) :$missing"
      set -- /var/lib/apt/lists/*Packages*
      [ -e "$1" ] || apt-get update -qq || die "la liste des paquets de Debian n'a pas pu être lue"
      for d in $missing; do
        apt-cache show "$d" >/dev/null 2>&1 && continue
        apt-cache showpkg "$d" 2>/dev/null | grep -A1 '^Reverse Provides' | grep -q '^[a-z0-9]' && continue
        bad="$bad $d"
      done
      if [ -n "$bad" ]; then
        echo "ERROR: unable to select packages:" >&2
        for d in $bad; do echo "  $d (no such package): aucun paquet de Debian ne porte ce nom (image hors ligne de TP Docker)" >&2; done
        exit 1
      fi
      # shellcheck disable=SC2086
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 $missing >/tmp/apk.log 2>&1 || { cat /tmp/apk.log >&2; rm -f /tmp/apk.log; die "l'installation a échoué :$missing"; }
      rm -f /tmp/apk.log; apt-get clean
    fi
    [ -z "$nocache" ] || rm -rf /var/lib/apt/lists/*
    [ ! -x /usr/bin/tini ] || [ -e /sbin/tini ] || ln -s /usr/bin/tini /sbin/tini
    [ -n "$quiet" ] || echo "OK: $(dpkg-query -W | wc -l) packages" ;;
  update)
    [ "$(id -u)" = 0 ] || die "Unable to lock database: Permission denied"
    apt-get update -qq && echo "OK" ;;
  info)
    if [ -n "$pkgs" ]; then
      for p in $pkgs; do
        for d in $(debian_names "$(plain "$p")"); do
          [ "$(dpkg-query -W -f '${db:Status-Status}' "$d" 2>/dev/null)" = installed ] || exit 1
        done
        echo "$p"
      done
    else dpkg-query -W -f '${Package}\n'
    fi ;;
  search)
    # shellcheck disable=SC2086
    apt-cache pkgnames $pkgs ;;
  del|upgrade|fix|cache|stats|version|audit|policy|dot) exit 0 ;;
  '') echo "apk-tools 2.14.9 (apt-get, image hors ligne de TP Docker)"; exit 1 ;;
  *) die "'$cmd' is not an apk command" ;;
esac
