# Needs Python 3.11 or newer, git and make. Everything else comes into .uv/ and .venv/, pinned by
# uv.lock.

PYTHON ?= python3
SAMPLES ?= samples
HIRES ?= 1000000
COMPOSE ?= docker compose
UV_VERSION := 0.13.9

UV := .uv/bin/uv
BIN := .venv/bin
SYNCED := .venv/.synced
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help run demo test servers lint fmt chaos bench docs env up down images-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The shell becomes the command, so that signals reach it; and it stops when make is killed.
run: $(SYNCED) ## run the whole suite on this machine: MUSTER_PORT, MUSTER_HOME; Ctrl-C stops it
	@exec $(BIN)/python -m embedded.lifeline SIGTERM $$PPID $(BIN)/python -m embedded

demo: $(SYNCED) ## do the main job once with the sample files and check it; SAMPLES=dir for others
	@exec $(BIN)/python -m embedded.demo "$(SAMPLES)"

test: $(SYNCED) servers ## run the tests
	@exec $(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup -m "not chaos"

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

bench: $(SYNCED) ## measure load time, memory and queries into bench/RESULTS.md; HIRES=1000000
	@exec $(BIN)/python -m bench "$(HIRES)"

docs: $(SYNCED) ## build the documentation into docs/_build/html
	@$(UV) run --frozen --quiet --python "$(PYTHON)" --group docs sphinx-build -W -q docs docs/_build/html
	@echo docs/_build/html/index.html

env: ## make .env for Docker Compose, with random secrets, where there is none
	@"$(PYTHON)" deploy/make_env.py

up: env ## build the images and run the suite with Docker Compose; COMPOSE=docker-compose
	@$(COMPOSE) up --build --detach --wait
	@echo "muster is ready at http://$$($(COMPOSE) port gateway 8080)," \
		"and shows the emails it sends at http://$$($(COMPOSE) port mailpit 8025)"
	@echo "The administrator's password is MUSTER_ADMIN_PASSWORD in .env"

down: ## stop what `make up` runs; the data stays in its volumes
	@$(COMPOSE) down

images-check: $(SYNCED) ## build the images with podman, run the stack and check both: root on Debian
	@exec $(BIN)/python -m deploy.images_check

clean: ## remove the environment and the caches, but no data
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build .images-check

$(SYNCED): .uv/uv-$(UV_VERSION) uv.lock pyproject.toml $(wildcard */pyproject.toml)
	@$(UV) sync --frozen --quiet --python "$(PYTHON)"
	@touch $@

.uv/uv-$(UV_VERSION):
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Muster needs Python \
	3.11 or newer and %s is %s.%s: make PYTHON=python3.12" % ((sys.executable,) + sys.version_info[:2]))'
	@"$(PYTHON)" -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
