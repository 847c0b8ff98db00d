#!/usr/bin/env bash
# Developer's builder of the offline images (the grader has its own, same contract).
#   scripts/images-dev.sh FOLDER…|all
set -euo pipefail
cd "$(dirname "$0")/../labs/images"
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
declare -A HASH

get() { # folder key
  python3 - "$1/recipe.toml" "$2" <<'P'
import sys, tomllib
v = tomllib.load(open(sys.argv[1], "rb")).get(sys.argv[2], "")
print(" ".join(v) if isinstance(v, list) else v)
P
}

hash_of() { # folder (its needs are known already)
  { (cd "$1" && find . -type f -o -type l | LC_ALL=C sort | while read -r f; do
       printf '%s\n' "$f"; if [ -L "$f" ]; then readlink "$f"; else cat "$f"; fi; done)
    for n in $(get "$1" needs); do printf '%s\n' "${HASH[$n]}"; done; } | sha256sum | cut -d' ' -f1
}

build() {
  local f=$1 n args=() h tag image inside differs grade start prepare
  [ -z "${HASH[$f]:-}" ] || return 0
  for n in $(get "$f" needs); do build "$n"; done
  h=$(hash_of "$f"); HASH[$f]=$h; tag=tp-docker-offline/$f:${h:0:12}
  image=$(get "$f" image); start=$(date +%s.%N)
  if ! docker image inspect "$tag" >/dev/null 2>&1; then
    for n in $(get "$f" needs); do
      args+=(--build-arg "BASE_$(tr 'a-z-' 'A-Z_' <<<"$n")=tp-docker-offline/$n:${HASH[$n]:0:12}")
    done
    rm -rf "${tmp:?}/$f"; cp -a "$f" "$tmp/$f"
    prepare=$(get "$f" prepare)
    [ -z "$prepare" ] || (cd "$tmp/$f" && TP_CA_BUNDLE=${TP_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt} bash "$prepare")
    echo "  prepared $f after $(echo "$(date +%s.%N) - $start" | bc) s" >&2
    inside=$(get "$f" inside) differs=$(get "$f" differs) grade=$(get "$f" grade)
    docker build -q -t "$tag" "${args[@]}" \
      --label "org.opencontainers.image.title=$image" --label "org.opencontainers.image.version=$inside" \
      --label "tp-docker.offline=$grade" --label "tp-docker.offline.inside=$inside" \
      --label "tp-docker.offline.differs=$differs" --label "tp-docker.recipe=$h" "$tmp/$f" >/dev/null
    rm -rf "${tmp:?}/$f"
  fi
  if ! docker image inspect "$image" >/dev/null 2>&1 ||
     [ -n "$(docker image inspect -f '{{ index .Config.Labels "tp-docker.offline" }}' "$image")" ]; then
    docker tag "$tag" "$image"
  else echo "  $image: a local image without our label, left alone" >&2
  fi
  printf '%-14s %-42s %8s MB  %6.1f s\n' "$f" "$image" \
    "$(docker image inspect -f '{{.Size}}' "$tag" | awk '{printf "%.0f", $1/1e6}')" "$(echo "$(date +%s.%N) - $start" | bc)"
}

[ "${1:-}" != all ] || { shift; set -- */; }
for f in "$@"; do build "${f%/}"; done
