#!/usr/bin/env bash
# Grades the reference solution of a lab, then three wrong submissions.
#   scripts/demo.sh GRADER LAB
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
grader=$1 lab=$2
dir=$(find "$root/labs" -maxdepth 1 -type d -name "$lab*" | head -n 1)
[ -n "$dir" ] || { echo "pas de TP « $lab »" >&2; exit 2; }

title() { printf '\n━━━ %s\n\n' "$*"; }

title "TP $lab, la solution de référence"
"$grader" check "$lab" -C "$dir/solution"

# Three wrong submissions that tell different stories; the lab names them.
mapfile -t wrong < <(grep -v '^#' "$dir/demo.txt")
for variant in "${wrong[@]}"; do
  title "TP $lab, un rendu faux : $variant"
  copy=$(mktemp -d)
  cp -R "$dir/solution/." "$copy/"
  cp -R "$dir/variants/$variant/." "$copy/"
  rm -f "$copy/expect.toml"
  code=0
  "$grader" check "$lab" -C "$copy" --quiet || code=$?
  rm -rf "$copy"
  [ "$code" -eq 1 ] || { echo "ce rendu devait être manqué (code $code)" >&2; exit 1; }
done

title "Inventaire"
"$grader" clean
