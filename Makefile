# Everything a person or CI runs. `make help` lists it.
# Servers and data of the checkout lie in var/, those of the tests in var/test/, the environment in .venv/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MANAGE := $(BIN)/python manage.py

.DEFAULT_GOAL := help
.PHONY: help setup demo run stop test check browser screens bench bench-lists requirements clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Make .venv with everything in it (again only when requirements change)

$(STAMP): requirements.txt tests/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ValueVerse needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
		       "Say 'make setup PYTHON=/path/to/python3.11'."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r tests/requirements.txt
	@touch $(STAMP)

demo: setup ## The demo story: real usage to paid invoices and closed books
	$(MANAGE) demo

run: setup ## Serve the product: web, live, worker, beat in one terminal
	$(MANAGE) run

stop: ## End whatever runs: the product and the embedded servers, also those of the tests
	@test -x $(BIN)/python || { echo "nothing was running"; exit 0; }; \
	$(MANAGE) servers stop && VV_VAR_DIR=var/test $(MANAGE) servers stop

check: setup ## Format, lint, types, layers, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	DJANGO_SETTINGS_MODULE=valueverse.settings.test $(MANAGE) makemigrations --check --dry-run

test: check browser ## All checks, then the tests
	$(BIN)/python -m pytest -n 2

# Where it may not be installed, the tests that need it are skipped and the summary says so in red.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		if ! command -v apt-get >/dev/null; then false; \
		elif [ "$$(id -u)" = 0 ]; then { apt-get update -qq && apt-get install -qq -y chromium; } >/dev/null; \
		elif sudo -n true 2>/dev/null; then { sudo -n apt-get update -qq && sudo -n apt-get install -qq -y chromium; } >/dev/null; \
		else false; fi; } || \
		echo "No Chromium, and it cannot be installed from here (apt-get install chromium): the browser tests are skipped."

screens: setup browser ## Pictures of every page, wide and narrow, into var/screens/index.html
	$(BIN)/python -m tests.browser.screens

bench: setup ## Measure: usage events a second, as a ratio to plain COPY in the same run
	$(BIN)/python -m tests.bench.bench_ingest

bench-lists: setup ## Measure: every list and page at size, as a ratio to a page that reads nothing
	$(BIN)/python -m tests.bench.bench_lists

requirements: setup ## Compile the pinned requirements from the .in files
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11 \
		requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11 \
		tests/requirements.in -o tests/requirements.txt

clean: stop ## Remove the environment and all data of this checkout
	rm -rf $(VENV) var
