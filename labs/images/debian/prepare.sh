#!/usr/bin/env bash
# Makes rootfs.tar (Debian bookworm, minimal) and ca-bundle.crt (the host's CAs).
set -euo pipefail

# The mirror comes from the host's own apt configuration: first a target of that
# very suite, then any target whose Release file carries that label. Nothing
# found (not a Debian host): mmdebstrap's own default is used.
mirror() { # $1 suite, $2 label
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(LABEL) $(CREATED_BY)' 2>/dev/null \
    | awk -v suite="$1" -v label="$2" '
        $NF != "Packages" { next }
        $2 == suite { print $1; found = 1; exit }
        $3 == label && other == "" { other = $1 }
        END { if (!found && other != "") print other }'
}

sources=()
main=$(mirror bookworm Debian || true)
security=$(mirror bookworm-security Debian-Security || true)
[ -z "$main" ] || sources+=("deb $main bookworm main")
[ -z "$main" ] || [ -z "$security" ] || sources+=("deb $security bookworm-security main")

mmdebstrap --quiet --variant=minbase \
  --aptopt='Acquire::Languages "none"' \
  --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Retries "3"' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  bookworm rootfs.tar "${sources[@]}"

bundle=${TP_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
if [ -r "$bundle" ]; then cp "$bundle" ca-bundle.crt; else : > ca-bundle.crt; fi
chmod 644 ca-bundle.crt
