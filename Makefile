# Needs Python 3.11 or newer, git and make. Everything else comes into .uv/, .venv/ and, for
# the bench, .venv-bench/, pinned by uv.lock.

PYTHON ?= python3
SAMPLES ?= samples
HIRES ?= 1000000
RUNS ?= 5
ONLY ?=
COMPOSE ?= docker compose
UV_VERSION := 0.13.9

PACKAGES := $(dir $(wildcard */pyproject.toml))

UV := .uv/bin/uv
BIN := .venv/bin
SYNCED := .venv/.synced
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help run demo test servers lint fmt chaos bench docs screenshots env up down k8s-secrets images-check k8s-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The shell becomes the command, so that signals reach it; and it stops when make is killed.
run: $(SYNCED) ## run the whole suite on this machine: MUSTER_PORT, MUSTER_HOME; Ctrl-C stops it
	@exec $(BIN)/python -m embedded.lifeline SIGTERM $$PPID $(BIN)/python -m embedded

demo: $(SYNCED) ## do the main job once with the sample files and check it; SAMPLES=dir for others
	@exec $(BIN)/python -m embedded.demo "$(SAMPLES)"

test: $(SYNCED) servers ## run the tests
	@exec tests/run $(BIN)

servers:
	@tests/servers/install

lint: $(SYNCED) ## check style, types, which package imports which, and the Dockerfiles
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint */Dockerfile

fmt: $(SYNCED) ## put the code into its style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

chaos: $(SYNCED) servers ## run the long fault sweeps: what works is killed, what is idle restarted
	@exec $(BIN)/pytest -n 2 --dist loadgroup -rP -m chaos

bench: $(SYNCED) servers ## measure it all into bench/RESULTS.md, 25 minutes; ONLY=load RUNS=5 HIRES=1000000
	@# An environment of its own: pyarrow imports pandas wherever there is one, in every loader that starts.
	@UV_PROJECT_ENVIRONMENT=.venv-bench exec $(UV) run --frozen --quiet --python "$(PYTHON)" --group bench \
		python -m bench --hires "$(HIRES)" --runs "$(RUNS)" --only "$(ONLY)"

docs: $(SYNCED) ## build the documentation into docs/_build/html
	@docs/drawing/install
	@$(UV) run --frozen --quiet --python "$(PYTHON)" --group docs sphinx-build -E -W -q docs docs/_build/html
	@echo docs/_build/html/index.html

screenshots: $(SYNCED) servers ## draw every view of the page, both themes and widths; SAMPLES=dir
	@exec $(BIN)/python -m tests.browser.screenshots docs/_build/screenshots "$(SAMPLES)"

env: ## make .env for Docker Compose, with random secrets, where there is none
	@"$(PYTHON)" deploy/make_env.py

up: env ## build the images and run the suite with Docker Compose; COMPOSE=docker-compose
	@$(COMPOSE) up --build --detach --wait
	@echo "muster is ready at http://$$($(COMPOSE) port gateway 8080)," \
		"and shows the emails it sends at http://$$($(COMPOSE) port mailpit 8025)"
	@echo "The administrator's password is MUSTER_ADMIN_PASSWORD in .env"

down: ## stop what `make up` runs; the data stays in its volumes
	@$(COMPOSE) down

k8s-secrets: ## make the secrets of k8s/overlays/dev, random ones, where there are none
	@"$(PYTHON)" -m deploy.make_k8s_secrets

images-check: $(SYNCED) ## build the images with podman, run the stack and check both: root on Debian
	@exec $(BIN)/python -m deploy.images_check

k8s-check: $(SYNCED) ## run the overlay dev and check it: on KUBECONFIG's cluster, by kind, or by podman
	@exec $(BIN)/python -m deploy.k8s_check

clean: ## remove the environment and the caches, but no data
	rm -rf .venv .venv-bench .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build .images-check

$(SYNCED): .uv/uv-$(UV_VERSION) uv.lock pyproject.toml $(PACKAGES:=pyproject.toml)
	@$(UV) sync --frozen --quiet --compile-bytecode --python "$(PYTHON)"
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

.uv/uv-$(UV_VERSION):
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Muster needs Python \
	3.11 or newer and %s is %s.%s: make PYTHON=python3.12" % ((sys.executable,) + sys.version_info[:2]))'
	@"$(PYTHON)" -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
