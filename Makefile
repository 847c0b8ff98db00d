# TP Docker. « make help » lists the targets; every one can be run again at any time.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LAB ?= 02
ARCH := $(shell uname -m | sed 's/arm64/aarch64/')
# The probe runs inside the student's networks, always on Linux, always static.
PROBE_TARGET ?= $(ARCH)-unknown-linux-gnu
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
GRADER := $(TARGET_DIR)/release/grader
CARGO ?= cargo

.PHONY: help setup build images demo test test-pure test-engine test-all security bench lint actionlint fmt schema book book-browser serve-browser class-browser class-swarm class-evening release clean

help: ## Liste les cibles
	@echo 'Cibles (make CIBLE) :'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16 | sed 's/^/  /'

setup: ## Prépare la machine : moteur Docker (installé ou démarré s'il le faut), outils des images
	@scripts/engine.sh

build: ## Construit le correcteur et sa sonde
	@echo '→ construction du correcteur et de la sonde (cargo)' >&2
	@$(CARGO) build --release -p grader --quiet
	@RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --profile probe -p grader-probe --bin grader-probe --features bin --target $(PROBE_TARGET) --quiet
	@install -m 755 $(TARGET_DIR)/$(PROBE_TARGET)/probe/grader-probe $(TARGET_DIR)/release/grader-probe-$(ARCH)

images: setup build ## Prépare les images de tous les TP (téléchargées, sinon construites hors ligne)
	@scripts/images.sh $(GRADER)

images-%: setup build
	@scripts/images.sh $(GRADER) $*

demo: images-$(LAB) ## Corrige la solution et trois rendus faux (LAB=02 par défaut)
	@scripts/demo.sh $(GRADER) $(LAB)

test: images-01 images-02 test-pure test-engine ## Tous les tests courants ; la commande de test du README

test-pure:
	@echo '→ tests sans moteur' >&2
	@$(CARGO) test --quiet -p grader -p grader-probe --features grader-probe/bin

test-engine: build
	@echo '→ tests sur un vrai moteur' >&2
	@TP_GRADER=$(abspath $(GRADER)) $(CARGO) test -p tp-tests -- --test-threads=1 --nocapture $(if $(TP_ALL),--include-ignored)

test-all: export TP_ALL = 1
test-all: images test-pure test-engine ## Tous les tests, toutes les variantes de tous les TP

security: images-01 build ## Sécurité, les chiffres : cas hostiles, règles retirées, attaques contenues, pannes, SIGKILL (une heure)
	@echo '→ politique, sans moteur : cas hostiles, projets publics, variantes des TP' >&2
	@TP_LABS=1 $(CARGO) test --quiet -p tp-tests --test hostile
	@echo '→ politique : chaque règle changée à son tour' >&2
	@$(CARGO) test --quiet -p grader --lib -- --ignored --nocapture every_rule | grep -v '^$$'
	@echo '→ moteur : attaques à côté d’un rendu honnête, pannes du démon, appels ratés, SIGKILL' >&2
	@TP_GRADER=$(abspath $(GRADER)) $(CARGO) test --quiet -p tp-tests --test contained --test hardship -- --ignored --nocapture --test-threads=1

bench: images-02 ## Mesures : rapports au cycle nu de docker compose, mémoire, matrice
	@TP_GRADER=$(abspath $(GRADER)) $(CARGO) run --release --quiet -p tp-tests --bin bench

lint: ## rustfmt, clippy ; shellcheck, actionlint (Go) et cargo deny s'ils sont là
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --features grader-probe/bin --quiet -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run .github/*/*.sh .github/*/*/*.sh; fi
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check; else echo 'cargo deny absent : dépendances non vérifiées' >&2; fi
	@if command -v go >/dev/null || command -v actionlint >/dev/null; then scripts/actionlint.sh; else echo 'Go absent : workflows non vérifiés' >&2; fi

actionlint: ## Vérifie les workflows de GitHub, ceux du projet et ceux des modèles
	@scripts/actionlint.sh

fmt:
	@$(CARGO) fmt --all

schema: build ## Réécrit labs/lab.schema.json
	@$(GRADER) lab schema > labs/lab.schema.json

book: build ## Construit le livre (book/build), les deux éditions vérifiées
	@$(GRADER) book test
	@$(GRADER) book test --teacher
	@$(GRADER) book build

# Not in « make test »: needs node and Chromium (CHROMIUM=/chemin).
book-browser: book ## Lit tout le livre dans Chromium : accessibilité, recherche, quiz
	@mkdir -p $(TARGET_DIR)/browser && cd $(TARGET_DIR)/browser && npm install --silent --no-audit --no-fund --prefix . playwright-core@1 axe-core@4
	@cd $(TARGET_DIR)/browser && node $(CURDIR)/tests/browser/book.mjs $(CURDIR)/book/build

release: ## Archive à installer sans Rust, dans dist/ (TARGET=… pour une autre plateforme)
	@scripts/release.sh $(TARGET)

# Needs an engine and the images of lab 02 too.
serve-browser: images-02 ## Essaie « grader serve » dans Chromium : vérifier, corriger, revérifier, terminal
	@mkdir -p $(TARGET_DIR)/browser/serve && cd $(TARGET_DIR)/browser && npm install --silent --no-audit --no-fund --prefix . playwright-core@1 axe-core@4
	@cd $(TARGET_DIR)/browser && node $(CURDIR)/tests/browser/serve.mjs $(abspath $(GRADER)) $(CURDIR) serve

# Needs no engine: the class is made of the sample reports.
class-browser: ## Lit les pages d'une classe dans Chromium : tri, filtres, clavier, accessibilité, ressemblances
	@rm -rf $(TARGET_DIR)/browser/class && mkdir -p $(TARGET_DIR)/browser/class/shots && cd $(TARGET_DIR)/browser && npm install --silent --no-audit --no-fund --prefix . playwright-core@1 axe-core@4
	@TP_CLASS_DIR=$(abspath $(TARGET_DIR))/browser/class $(CARGO) test --quiet -p grader --lib -- --ignored pages_for_the_browser
	@cd $(TARGET_DIR)/browser && for class in plain course; do node $(CURDIR)/tests/browser/class.mjs class/$$class class/shots; done

# Some minutes, as root: an engine of its own becomes a Swarm.
class-swarm: images-01 build ## Corrige une classe par un travail de Swarm, une tâche tuée en route
	@TP_GRADER=$(abspath $(GRADER)) $(CARGO) test --quiet -p tp-tests --test swarm -- --ignored --nocapture

# An hour: TP_EVENING_LABS, TP_EVENING_SIZE and TP_EVENING_KILLS make it shorter.
class-evening: images-01 images-02 images-05 build ## La soirée de l'enseignant : 60 copies, une par une, en lot, tué cinq fois ; mémoire et débit
	@TP_GRADER=$(abspath $(GRADER)) $(CARGO) run --release --quiet -p tp-tests --bin evening

clean: ## Supprime ce que des corrections interrompues ont laissé
	@$(GRADER) clean
