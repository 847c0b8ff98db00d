#!/usr/bin/env bash
# Makes sure that a Docker engine with Compose v2 and Buildx answers.
#
#   scripts/engine.sh [ensure]   use the engine that answers, else start the one
#                                that is installed, else install it (Linux/apt)
#   scripts/engine.sh status     say what is there, change nothing
#
# Never touches an engine that already answers. Needs root or sudo only when it
# has something to install or to start.
set -euo pipefail

say()  { printf '%s\n' "engine: $*" >&2; }
die()  { printf '%s\n' "engine: $*" >&2; exit 4; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else die "il faut être root (ou avoir sudo) pour : $*"
  fi
}

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
has_compose() { docker compose version >/dev/null 2>&1; }
has_buildx() { docker buildx version >/dev/null 2>&1; }

# The mirror that this machine already uses for Debian, read from its own apt
# configuration, so that no address is written here.
debian_mirror() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CREATED_BY)' 2>/dev/null \
    | awk '$2 == "bookworm" && $3 == "Packages" { print $1; exit }'
}

# Debian 12 carries no Compose v2: take the engine from the next release, pinned
# low enough that nothing else of the machine is upgraded.
add_trixie_pinned_low() {
  local mirror keyring
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "pas de miroir Debian dans la configuration d'apt ; installez Docker Engine et Compose v2 à la main"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  say "dépôt « trixie » ajouté avec une priorité de 100 (rien d'autre n'est mis à jour)"
  as_root sh -c "printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' '$mirror' '$keyring' > /etc/apt/sources.list.d/tp-docker-trixie.sources
                 printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' > /etc/apt/preferences.d/tp-docker-trixie"
}

apt_update() {
  # A third-party source that does not answer must not stop the installation.
  as_root apt-get update -qq >/dev/null 2>&1 || say "une source apt ne répond pas ; on continue avec les autres"
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

offered() { apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'; }

install_engine() {
  command -v apt-get >/dev/null 2>&1 || die "installation automatique prévue pour Debian et Ubuntu ; ailleurs, installez Docker Engine et Compose v2 puis relancez"
  # shellcheck disable=SC1091
  . /etc/os-release
  apt_update
  local kind=${ID:-}
  # By what apt offers, not by the release's number: a machine may mix releases.
  if [ "$kind" = debian ] && ! { offered docker-cli && offered docker-buildx; }; then kind=debian-old; fi
  case "$kind" in
    debian-old)
      add_trixie_pinned_low
      apt_update
      say "installation de docker.io, docker-cli, docker-compose, docker-buildx, iptables (paquets de Debian trixie)…"
      apt_install iptables ca-certificates
      # From the release itself, with the dependencies that it brings.
      apt_install -t trixie docker.io docker-cli docker-compose docker-buildx
      ;;
    debian)
      say "installation de docker.io, docker-cli, docker-compose, docker-buildx (paquets de la distribution)…"
      apt_install docker.io docker-cli docker-compose docker-buildx iptables ca-certificates
      ;;
    *)
      say "installation de docker.io, docker-compose-v2, docker-buildx (paquets de la distribution)…"
      apt_install docker.io docker-compose-v2 docker-buildx iptables ca-certificates
      ;;
  esac
}

# A daemon that was killed leaves its pid files; another process may have its number by now.
forget_dead_daemon() {
  local comm
  for comm in /proc/[0-9]*/comm; do
    [ "$(cat "$comm" 2>/dev/null)" = dockerd ] && return 0
  done
  as_root rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
}

start_daemon() {
  say "démarrage du démon Docker…"
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker
  else
    forget_dead_daemon
    # No service manager: detached from this shell, log kept for a diagnosis.
    as_root sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &'
  fi
  for _ in $(seq 1 150); do
    answers && return 0
    sleep 0.2
  done
  die "le démon ne répond pas après 30 s ; voyez /var/log/dockerd.log ou « journalctl -u docker »"
}

ensure() {
  if answers && has_compose && has_buildx; then return 0; fi
  case "$(uname -s)" in
    Darwin) die "démarrez Docker Desktop (Applications), attendez que la baleine soit fixe, puis relancez" ;;
    MINGW*|MSYS*|CYGWIN*) die "démarrez Docker Desktop, vérifiez l'intégration WSL, puis relancez" ;;
  esac
  if grep -qi microsoft /proc/version 2>/dev/null && ! command -v dockerd >/dev/null 2>&1; then
    die "sous WSL : démarrez Docker Desktop et activez l'intégration de cette distribution (Settings › Resources › WSL), puis relancez"
  fi
  if answers; then
    die "le moteur répond, mais il manque le greffon Compose v2 ou Buildx ; ajoutez-les à votre installation (nous ne modifions pas un moteur déjà là)"
  fi
  if docker info 2>&1 | grep -qi 'permission denied'; then
    die "le moteur existe mais refuse l'accès : ajoutez-vous au groupe docker (sudo usermod -aG docker \"\$USER\"), rouvrez la session, puis relancez"
  fi
  if ! command -v dockerd >/dev/null 2>&1; then
    say "aucun moteur Docker sur cette machine"
    install_engine
  fi
  hash -r
  answers || start_daemon
  has_compose || die "Compose v2 ne répond pas après l'installation"
  has_buildx || die "Buildx ne répond pas après l'installation"
  say "prêt : moteur $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short)"
}

case "${1:-ensure}" in
  ensure) ensure ;;
  status)
    if answers; then
      say "moteur $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short 2>/dev/null || echo absent)"
    else
      say "aucun moteur ne répond"; exit 4
    fi ;;
  *) die "usage : scripts/engine.sh [ensure|status]" ;;
esac
