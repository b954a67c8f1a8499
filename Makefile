# `make demo` runs the main job on a fresh machine, `make test` passes the tests; everything else is a convenience.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
UV := $(BIN)/uv
# One more than cores: some tests wait for an engine while others work.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
DEALT = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadscope
# Programs of an image import each other by bare names, so the types of each image's folder are checked by itself.
IMAGES := $(patsubst containers/%/stages.toml,%,$(wildcard containers/*/stages.toml))
INSTALL := $(UV) pip install -q --python $(BIN)/python --no-deps
COMPILE := $(UV) pip compile -q --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

.PHONY: demo test unit slow check docs campaign bench setup lock clean

demo: $(VENV)/.installed
	@$(BIN)/python -m tasks demo

test: $(VENV)/.tested
	@$(BIN)/python -m tests.engines.report
	$(MAKE) --no-print-directory check
	$(DEALT)

unit: $(VENV)/.tested
	$(BIN)/pytest tests/unit

# `make test` without what `make check` and `make unit` do.
slow: $(VENV)/.tested
	@$(BIN)/python -m tests.engines.report
	$(DEALT) tests/integration tests/stages

check: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for image in $(IMAGES); do MYPYPATH=containers/$$image:containers/$$image/plugins \
		$(BIN)/mypy --config-file containers/mypy.ini containers/$$image containers/deepkit || exit 1; done
	$(BIN)/lint-imports --no-cache

# The docs as a site, in `site/`. Strict: a dead link, a missing anchor or a page that is not in the nav is an error.
docs: $(VENV)/.documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html; the search needs a server: $(BIN)/mkdocs serve"

# A short campaign of random kills is among the tests; this is a long one, on stubs and inside real CellProfiler.
campaign: $(VENV)/.tested
	$(BIN)/python -m tests.campaign --kills 45 --seed 1
	$(BIN)/python -m tests.campaign --kills 20 --seed 5 --real

bench: $(VENV)/.tested
	for file in tests/bench/*.py; do $(BIN)/python $$file; done

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "platewright needs Python 3.11 or later; name one with: make PYTHON=python3.11 ...")'
	@echo "installing Platewright's Python environment into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/^    # via/p' requirements.lock >$(VENV)/uv.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r $(VENV)/uv.lock
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

# In the same environment: most of these packages are the tests' own, and their versions are the same.
$(VENV)/.documented: requirements-docs.lock $(VENV)/.installed
	$(INSTALL) --require-hashes --only-binary :all: -r requirements-docs.lock
	@touch $@

$(VENV)/.tested: requirements-test.lock $(VENV)/.documented
	$(INSTALL) --require-hashes --only-binary :all: -r requirements-test.lock
	@touch $@

lock: $(VENV)/.installed
	$(COMPILE) pyproject.toml --python-version 3.11 --extra build --extra release --extra test -o requirements-test.lock
	$(COMPILE) pyproject.toml --python-version 3.11 --extra build -c requirements-test.lock -o requirements.lock
	$(COMPILE) pyproject.toml --python-version 3.11 --extra build --extra docs -c requirements-test.lock -o requirements-docs.lock
	$(COMPILE) containers/luigid/requirements.in --python-version 3.11 -o containers/luigid/requirements.lock
	$(COMPILE) containers/stagekit/requirements.in --python-version 3.9 -o containers/stagekit/requirements.lock

clean:
	rm -rf $(VENV) .environments site
