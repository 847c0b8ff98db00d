#!/usr/bin/env bash
# Checks every workflow with actionlint, at one version, built from its Go module.
#   scripts/actionlint.sh [FILE…]     by default those of this repository and of the classroom's template
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.7.12
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools
bin=$tools/actionlint-$version
say() { echo "→ $*" >&2; }

if [ ! -x "$bin/actionlint" ]; then
  if command -v actionlint >/dev/null && [ "v$(actionlint -version | head -n 1 | tr -d v)" = "$version" ]; then
    mkdir -p "$bin"
    ln -sf "$(command -v actionlint)" "$bin/actionlint"
  elif command -v go >/dev/null; then
    say "actionlint $version (go install)"
    GOBIN=$bin GOFLAGS=-buildvcs=false go install "github.com/rhysd/actionlint/cmd/actionlint@$version"
  else
    echo "actionlint absent : installez Go (apt-get install golang-go), ou actionlint $version" >&2
    exit 4
  fi
fi

# A workflow of the template is one once its placeholders are filled.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  files=(.github/workflows/*.yml)
  for template in .github/classroom/*.yml; do
    sed 's/__COURSE__/exemple\/tp-docker/g; s/__VERSION__/v0.1.0/g; s/__LAB__/02/g' "$template" >"$work/$(basename "$template")"
    files+=("$work/$(basename "$template")")
  done
fi
say "actionlint $version : ${#files[@]} fichiers"
"$bin/actionlint" "${files[@]}"
