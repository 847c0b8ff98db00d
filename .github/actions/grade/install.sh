#!/usr/bin/env bash
# Takes the grader from the releases of the course. COURSE, VERSION, SHA256, GH_TOKEN; output: grader.
set -euo pipefail

fail() { printf '::error title=correcteur introuvable::%s\n' "$1"; exit 4; }

# Both are given by the workflow: nothing odd may reach a command.
[[ ${COURSE:-} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || fail "course doit avoir la forme PROPRIÉTAIRE/NOM"
[[ ${VERSION:-} =~ ^v[0-9][0-9A-Za-z.+-]*$ ]] || fail "version doit avoir la forme v0.1.0"
case $(uname -m) in
  x86_64) target=x86_64-unknown-linux-musl ;;
  aarch64 | arm64) target=aarch64-unknown-linux-musl ;;
  *) fail "pas de correcteur pour cette machine ($(uname -m))" ;;
esac

dir=$RUNNER_TEMP/tp-docker
mkdir -p "$dir"
archive=tp-docker-${VERSION#v}-$target.tar.gz
gh release download "$VERSION" --repo "$COURSE" --pattern "$archive" --pattern "$archive.sha256" --dir "$dir" --clobber ||
  fail "la version $VERSION n'est pas publiée par $COURSE"
cd "$dir"
sha256sum --check --quiet "$archive.sha256" || fail "l'archive est abîmée"
if [ -n "${SHA256:-}" ]; then
  echo "$SHA256  $archive" | sha256sum --check --quiet - || fail "l'archive n'a pas l'empreinte attendue"
fi
tar -xzf "$archive"
echo "grader=$dir/${archive%.tar.gz}/grader" >>"$GITHUB_OUTPUT"
