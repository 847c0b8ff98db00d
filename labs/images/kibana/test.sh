#!/usr/bin/env bash
# Runs the double's own tests on a copy, so that no node_modules enters the recipe's folder (its content is hashed).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cp -R "$here/app/." "$work/"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --silent
node --test --test-timeout 60000 test/
