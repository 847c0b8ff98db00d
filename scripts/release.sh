#!/usr/bin/env bash
# Makes a release archive for one platform: the binary with everything inside (labs without their
# solutions, the course, the probes), completions, manual pages, texts.
#   scripts/release.sh [TARGET] [FOLDER]     TARGET: a Rust target, by default this machine's
# With PROBES, a folder of grader-probe-ARCH, those are taken and none is built (they always run on
# Linux: another system cannot link them).
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=${1:-$host}
out=${2:-dist}
cargo=${CARGO:-cargo}
dir=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=tp-docker-$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "→ $*" >&2; }
# GNU tar, for the same bytes each time; macOS has it as gtar when installed.
tar() { "$(type -P gtar || type -P tar)" "$@"; }
hash256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

say "correcteur de cette machine, sonde et livre (édition de l'étudiant)"
if [ -n "${PROBES:-}" ]; then
  "$cargo" build --release -p grader --quiet
else
  make --no-print-directory build >&2
fi
content=$work/content
mkdir -p "$content"
"$dir/release/grader" book build --into "$work/book" >&2
mv "$work/book" "$content/book"
install -m 755 "${PROBES:-$dir/release}"/grader-probe-* "$content/"

# What a student gets of a lab: never the solution, the variants, or what else an instructor needs.
for lab in labs/[0-9]*; do
  mkdir -p "$content/$lab"
  cp -R "$lab/lab.toml" "$lab/statement.md" "$lab/starter" "$content/$lab/"
done
git ls-files -z labs/images | tar --null -T - -cf - | tar -C "$content" -xf -

say "archive : $(du -sh "$content" | cut -f1) à emporter dans le binaire"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$content" -cf - . | gzip -9n >"$work/bundle.tar.gz"
id=$version-$(hash256 "$work/bundle.tar.gz" | cut -c1-12)
# The repository that publishes the release: « grader init --classroom » names it.
TP_DOCKER_BUNDLE=$work/bundle.tar.gz TP_DOCKER_BUNDLE_ID=$id TP_DOCKER_COURSE=${GITHUB_REPOSITORY:-} \
  "$cargo" build --release -p grader --features bundle --target "$target" --quiet

pack=$work/$name
mkdir -p "$pack"/{completions,man,licences}
exe=grader
[[ $target != *windows* ]] || exe=grader.exe
install -m 755 "$dir/$target/release/$exe" "$pack/"
"$dir/release/grader" man --into "$pack/man" >&2
for shell in bash zsh fish powershell; do
  "$dir/release/grader" completions "$shell" >"$pack/completions/grader.$shell"
done
cp docs/INSTALLATION.md "$pack/LISEZMOI.md"
cp CHANGELOG.md THREATS.md "$pack/"
cp LICENSE-MIT LICENSE-APACHE "$pack/licences/"

mkdir -p "$out"
archive=$name.tar.gz
tar --sort=name --owner=0 --group=0 --numeric-owner -C "$work" -czf "$out/$archive" "$name"
(cd "$out" && hash256 "$archive" >"$archive.sha256")
say "$out/$archive ($(du -h "$out/$archive" | cut -f1))"
