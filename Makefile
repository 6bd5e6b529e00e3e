# Needs Python 3.11 or newer, git and make. Everything else comes into .uv/, .venv/ and, for
# lint and the bench, .venv-lint/ and .venv-bench/, pinned by uv.lock: tools/environment.py does it.

PYTHON ?= python3
SAMPLES ?= samples
HIRES ?= 1000000
RUNS ?= 5
ONLY ?=
NAME ?=
MIRROR ?=
PREFIX ?=
KEY ?=
ENGINE ?= docker
TO ?=
FROM ?=
ERASURES ?=
COMPOSE ?= docker compose
UV_VERSION := 0.13.9

# A suite is a dozen processes, and the tests start hundreds, that import the same modules: without
# bytecode on the disk each compiles them all, which takes three times as long as to import them.
unexport PYTHONDONTWRITEBYTECODE

PACKAGES := $(dir $(wildcard */pyproject.toml))

BIN := .venv/bin
# What the suite runs on: with the drivers of servers where a URL names one.
URLS := $(foreach name,BROKER CSV_STORE FILE_STORE AUTH_DATABASE EMPLOYMENT_DATABASE NOTIFICATION_DATABASE,$(value MUSTER_$(name)_URL))
RUN := .venv/.synced$(if $(filter-out sqlite:% file:%,$(URLS)),-servers)
DEV := .venv/.synced-dev
DOCS := .venv/.synced-docs
LINT := .venv-lint/.synced-lint
# An environment of its own: pyarrow imports pandas wherever there is one, in every loader that starts.
BENCH := .venv-bench/.synced-dev .venv-bench/.synced-bench

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo backup restore test servers lint fmt chaos bench docs architecture screenshots env up down k8s-secrets images-check k8s-check compat release migration clean

help: ## show this list
	@awk -F ':.*## |^##@ ' '/^##@ / { printf "\n%s\n", $$2 } \
		/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ For those who use Muster

# The shell becomes the command, so that signals reach it; and it stops when make is killed.
run: $(RUN) ## run the whole suite on this machine: MUSTER_PORT, MUSTER_HOME; Ctrl-C stops it
	@exec $(BIN)/python -m embedded.lifeline SIGTERM $$PPID $(BIN)/python -m embedded

demo: $(RUN) ## do the main job once with the sample files and check it; SAMPLES=dir for others
	@exec $(BIN)/python -m embedded.demo "$(SAMPLES)"

backup: $(RUN) ## copy all that the suite in MUSTER_HOME keeps, while it runs: TO=directory
	@exec $(BIN)/python -m embedded.backup "$(TO)"

restore: $(RUN) ## make MUSTER_HOME anew from a backup: FROM=directory ERASURES=tombstones.jsonl
	@exec $(BIN)/python -m embedded.restore "$(FROM)" $(if $(ERASURES),--erasures "$(ERASURES)")

env: ## make .env for Docker Compose, with random secrets, where there is none
	@"$(PYTHON)" deploy/make_env.py

up: env ## run the suite with Docker Compose: what MUSTER_TAG names; BUILD=1, COMPOSE=docker-compose
	@deploy/compose_up "$(COMPOSE)"

down: ## stop what `make up` runs; the data stays in its volumes
	@deploy/require_compose "$(COMPOSE)"
	@$(COMPOSE) down

k8s-secrets: ## make the secrets of k8s/overlays/dev, random ones, where there are none
	@"$(PYTHON)" -m deploy.make_k8s_secrets

clean: ## remove the environment and the caches, but no data
	rm -rf .venv .venv-lint .venv-bench .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build .images-check .servers

##@ For those who change it

test: $(DEV) servers ## run the tests
	@exec tests/run $(BIN)

servers:
	@tests/servers/install

lint: $(DEV) $(LINT) ## check style, types, which package imports which, and the Dockerfiles
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	.venv-lint/bin/lint-imports
	$(BIN)/hadolint */Dockerfile

fmt: $(DEV) ## put the code into its style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

chaos: $(DEV) servers ## run the long fault sweeps, and each property with thirty times the examples
	@$(BIN)/pytest -m chaos tests/browser; browser=$$?; \
	$(BIN)/pytest -n 2 --dist loadgroup -rP -m "chaos or hypothesis" --ignore tests/browser \
		--hypothesis-profile thorough && exit $$browser

bench: $(BENCH) servers ## measure it all into bench/RESULTS.md, 45 minutes; ONLY=load RUNS=5 HIRES=1000000
	@exec .venv-bench/bin/python -m bench --hires "$(HIRES)" --runs "$(RUNS)" --only "$(ONLY)"

docs: $(DEV) $(DOCS) ## build the documentation into docs/_build/html
	@docs/drawing/install
	@$(BIN)/sphinx-build -E -W -q docs docs/_build/html
	@echo docs/_build/html/index.html

architecture: $(DEV) $(DOCS) ## draw docs/pictures/architecture.svg from the manifests of k8s/overlays/prod
	@$(BIN)/python -m docs.drawing.overview

screenshots: $(DEV) servers ## draw every view of the page, both themes and widths; SAMPLES=dir
	@exec $(BIN)/python -m tests.browser.screenshots docs/_build/screenshots "$(SAMPLES)"

images-check: $(DEV) ## build the images with podman, run the stack and check both: root on Debian
	@exec $(BIN)/python -m tools.images_check

k8s-check: $(DEV) ## run the overlay dev and check it: on KUBECONFIG's cluster, by kind, or by podman; ONLY=drain
	@exec $(BIN)/python -m tools.k8s_check --only "$(ONLY)"

compat: ## make demo and make test on other Debians and servers: root on Debian; ONLY=debian13
	@exec "$(PYTHON)" -m tools.compat --only "$(ONLY)" --mirror "$(MIRROR)"

release: $(RUN) ## build, publish and sign the images of a tag: PREFIX=registry.example.com/muster KEY=cosign.key
	@exec $(BIN)/python -m deploy.release "$(PREFIX)" $(if $(KEY),--key "$(KEY)") --engine "$(ENGINE)"

migration: $(DEV) ## write the migration of the declared tables: NAME="locations"
	@exec $(BIN)/python -m tools.migration "$(NAME)"

define CHECK_PYTHON
@command -v "$(PYTHON)" >/dev/null || { \
	echo "muster: There is no $(PYTHON): install Python 3.11 or newer, or name one, as in make PYTHON=python3.12." >&2; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "muster: Muster needs Python \
3.11 or newer and %s is %s.%s: make PYTHON=python3.12" % ((sys.executable,) + sys.version_info[:2]))'
endef

.venv/.synced .venv/.synced-servers $(DEV) $(DOCS): .venv/bin/python
$(LINT): .venv-lint/bin/python
$(BENCH): .venv-bench/bin/python
.venv/.synced .venv/.synced-servers $(DEV) $(DOCS) $(LINT) $(BENCH): uv.lock pyproject.toml $(PACKAGES:=pyproject.toml)
	$(CHECK_PYTHON)
	@"$(PYTHON)" -m tools.environment $(UV_VERSION) $@

# No recipe: where the Python of an environment is gone, its stamps are out of date.
.venv/bin/python .venv-lint/bin/python .venv-bench/bin/python:
