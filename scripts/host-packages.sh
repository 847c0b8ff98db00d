#!/usr/bin/env bash
# Installs the distribution packages that the offline image recipes name (Debian, Ubuntu).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command -v apt-get >/dev/null 2>&1 || exit 0

missing=()
while read -r package; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
  # A tool that is there by other means (npm, pip) is as good as its package.
  case $package in
    npm) command -v npm >/dev/null 2>&1 && continue ;;
    python3-pip) command -v pip3 >/dev/null 2>&1 && continue ;;
  esac
  missing+=("$package")
done < <(sed -n 's/^host-packages *= *\[\(.*\)\]/\1/p' "$root"/labs/images/*/recipe.toml | tr -d '" ' | tr ',' '\n' | sort -u)

[ ${#missing[@]} -eq 0 ] && exit 0
echo "→ paquets pour les images hors ligne : ${missing[*]}" >&2
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "il faut être root (ou avoir sudo) pour installer ${missing[*]}" >&2; exit 4; }
  sudo=(sudo)
fi
"${sudo[@]}" apt-get update -qq >/dev/null 2>&1 || true
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
