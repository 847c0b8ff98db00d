#!/usr/bin/env bash
# Makes the images of some labs (all by default) ready: local, else pulled, else built offline.
#   scripts/images.sh GRADER [LAB…]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
grader=$1
shift

# Host packages that the offline recipes need, installed only when one has to be built.
if ! "$grader" images ready "$@" >/dev/null 2>&1; then
  "$here/host-packages.sh"
fi
exec "$grader" images build "$@"
