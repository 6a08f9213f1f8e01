# Racklet Twin. A newcomer needs two targets: `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
LAYOUT ?= layouts/pod_two_row.yaml
ARGS ?=
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(shell command -v uv || echo .tools/bin/uv)
SUDO := $(shell [ "$$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null && echo sudo; })

.PHONY: help run test check lint validate bench viewer lock schema clean system-python system-test

help: ## Say what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.synced ## Start the live twin of LAYOUT (options in ARGS) and print the page's address
	@exec $(BIN)/racklet run $(LAYOUT) $(ARGS)

test: .venv/.synced .peers/.synced system-test lint ## Install what the tests need, check the code, run every test
	RACKLET_PANDAPIPES=$(CURDIR)/.peers/bin/python $(BIN)/pytest

check: lint ## The checks that need no test run (alias of lint)

lint: .venv/.synced ## Formatting, lint, docstrings, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

validate: .venv/.synced ## Run the whole validation suite (minutes) and rewrite its page in docs
	$(BIN)/racklet validate --full --docs docs $(ARGS)

bench: .venv/.synced .peers/.synced ## Time the solver against memory, clock and its peers (many minutes; ARGS=--quick)
	@RACKLET_PANDAPIPES=$(CURDIR)/.peers/bin/python exec $(BIN)/racklet bench $(ARGS)

viewer: ## Rebuild the 3-D viewer's bundle (needs Node.js and npm)
	cd viz/viewer && npm ci --no-audit --no-fund && npm run build

schema: .venv/.synced ## Rewrite layouts/schema.json from the model
	$(BIN)/python -m twin.model.schema layouts/schema.json

lock: $(UV) ## Resolve pyproject.toml anew into the hashed lock
	$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url \
	    --universal --python-version 3.11 --group dev pyproject.toml --output-file requirements.lock

clean: ## Remove the environment and every cache
	rm -rf .venv .peers .tools .ruff_cache .pytest_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -------------------------------------------------------------------------------------------

.venv/.synced: requirements.lock pyproject.toml | $(UV)
	@echo "Setting up .venv from requirements.lock: about 110 packages, 2 GB on disk; a minute or a few"
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --python $(PYTHON) .venv
	@VIRTUAL_ENV=.venv $(UV) pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Peers that the tests compare with need other versions of what we use: an environment of their own.
.peers/.synced: tests/peers/requirements.lock | $(UV)
	@echo "Setting up .peers: pandapipes, 1 GB on disk; a minute or less"
	@[ -x .peers/bin/python ] || $(UV) venv --quiet --python $(PYTHON) .peers
	@VIRTUAL_ENV=.peers $(UV) pip sync --quiet --require-hashes tests/peers/requirements.lock
	@touch $@

.tools/bin/uv: | system-python
	@echo "Installing uv $(UV_VERSION) into .tools"
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

system-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "$(PYTHON) is older than 3.11: install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3-venv)

# Chromium drives the page's tests; the GL libraries give it (and VTK) a software renderer.
BROWSER_PACKAGES := chromium libegl1 libegl-mesa0 libgl1-mesa-dri
system-test:
	@{ { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
	    && [[ "$$(ldconfig -p)" == *libEGL.so.1* ]]; } || $(call apt,$(BROWSER_PACKAGES))

# Install Debian packages where we may; else say exactly what to type.
define apt
{ if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || [ -n "$(SUDO)" ]; }; then \
    echo "Installing system packages: $(1)"; \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null; \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
  else echo "Missing system packages. Install them, then try again:  sudo apt-get install $(1)"; exit 2; fi; }
endef
