# `make demo` runs the main job on a fresh machine, `make test` passes the tests; everything else is a convenience.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
UV := $(BIN)/uv
COMPILE := $(UV) pip compile -q --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

.PHONY: demo test unit check bench setup lock clean

demo: $(VENV)/.installed
	@$(BIN)/python -m tasks demo

test: $(VENV)/.tested
	@$(BIN)/python -m tests.engines.report
	$(MAKE) --no-print-directory check
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

unit: $(VENV)/.tested
	$(BIN)/pytest tests/unit

check: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.tested
	for file in tests/bench/*.py; do $(BIN)/python $$file; done

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "platewright needs Python 3.11 or later; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.tested: requirements-test.lock $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-test.lock
	@touch $@

lock: $(VENV)/.installed
	$(COMPILE) pyproject.toml --python-version 3.11 --extra build --extra test -o requirements-test.lock
	$(COMPILE) pyproject.toml --python-version 3.11 --extra build -c requirements-test.lock -o requirements.lock
	$(COMPILE) containers/luigid/requirements.in --python-version 3.11 -o containers/luigid/requirements.lock
	$(COMPILE) containers/stagekit/requirements.in --python-version 3.9 -o containers/stagekit/requirements.lock

clean:
	rm -rf $(VENV) .environments
