# make demo [STEPS=500] [PORT=8765]   a live, steerable training job with its dashboard
# make test [PART=2]                  JavaScript, Python, browser: a quarter of each file's tests, 1 to 4
# make test-all                       every test
# make test-postgresql                the tests of the server and of whole jobs, with every run in PostgreSQL
# make quick [BASE=main]              the tests nearest to what has changed, in under a minute
# make test-torch VERSION=2.15.0      the probe's tests on another torch, in an environment of its own,
#                                     and with PYTHON=python3.13 on another Python
# make test-integrations              real training libraries, in an environment of their own
# make mutants [ROOM=probe/freeze]    break lines on purpose and see the nearest test fail (long)
# make check                          linters, type checks and every test (test-all), as in CI
# make wire                           the page's types of the wire, from docs/protocol.schema.json
# make vendor                         static/vendor/ from what package.json names
# make docs                           the documentation's site, in build/site
# make release [OLDEST_PYTHON=...]    sdist and wheel in dist/, tried in empty environments
# make venv | clean                   what the others need and what they left
#
# PYTHON=python3.12 picks another interpreter for the virtual environment.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Skipped where a pip runs: an interrupted venv has none.
MAKE_VENV = $(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
# Test processes at once, on two cores: a test often waits for a job, a server or a browser.
WORKERS ?= 3
# Of the tests of each file, as make test runs them; all four together have each test.
PART ?= 1
# Each of the tests' jobs and servers would compile all of Gradgate anew.
unexport PYTHONDONTWRITEBYTECODE
# What runs on another torch: all that imports it.
TORCH_TESTS ?= tests/probe tests/zoo tests/matrix tests/contract
TORCH_VENV = .venv-torch-$(VERSION)-$(notdir $(PYTHON))
JS_TESTS := $(sort $(shell find tests/js -name '*.test.js'))

PLOTLY := plotly.js-basic-dist-min/plotly-basic.min.js

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-js test-python test-postgresql test-torch test-integrations quick mutants check lint types types-js wire vendor docs release \
	venv clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^$$/q'

demo: $(VENV)/.installed
	@$(BIN)/gradgate demo $(if $(STEPS),--steps $(STEPS)) $(if $(PORT),--port $(PORT))

# Which tests and cases these are is said in tests/support/sampling.py.
test: test-js
	@$(MAKE) --no-print-directory test-python CASES="--sample $(PART)"

test-all: test-js
	@$(MAKE) --no-print-directory test-python

test-js: $(VENV)/.installed-test
	@$(if $(JS_TESTS),,echo "error: no JavaScript test found in tests/js" >&2; exit 1)
	$(BIN)/node --test $(JS_TESTS)

# In their own order: sorted by the number of tests, long files with few of them would come last.
test-python: $(VENV)/.installed-test node_modules/.package-lock.json
	@GRADGATE_CHROMIUM="$$($(BIN)/python tests/support/chromium.py)" && export GRADGATE_CHROMIUM && \
		set -x && $(BIN)/python -m pytest $(CASES) -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Where the servers of the tests keep runs is said in tests/support/storing.py.
test-postgresql: $(VENV)/.installed-test
	GRADGATE_TEST_STORE=postgresql $(BIN)/python -m pytest tests/server tests/contract tests/end_to_end \
		-m "not sqlite" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Notices that newer versions give of themselves fail no test: they are not what this is about.
test-torch:
	@test -n "$(VERSION)" || { echo "error: say which torch: VERSION=2.15.0" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(TORCH_VENV)/.installed-test
	$(TORCH_VENV)/bin/python -m pytest $(TORCH_TESTS) -n $(WORKERS) --dist loadfile \
		--no-loadscope-reorder -W ignore::FutureWarning -W ignore::DeprecationWarning

# What libraries warn of fails no test: it is not to be mended here.
test-integrations: .venv-integrations/.installed
	.venv-integrations/bin/python -m pytest tests/integrations -n $(WORKERS) --dist loadgroup -W ignore

quick: $(VENV)/.installed-test node_modules/.package-lock.json
	@GRADGATE_CHROMIUM="$$($(BIN)/python tests/support/chromium.py)" $(BIN)/python -m tests.quick $(BASE)

mutants: $(VENV)/.installed-test node_modules/.package-lock.json
	@GRADGATE_CHROMIUM="$$($(BIN)/python tests/support/chromium.py)" $(BIN)/python -m tests.mutants.replay $(ROOM)

check: lint types types-js
	@$(MAKE) --no-print-directory test-all

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy probe server pytest_plugin benchmarks

types-js: node_modules/.package-lock.json
	$(BIN)/node tools/wire_types.js --check
	cmp node_modules/$(PLOTLY) static/vendor/$(notdir $(PLOTLY))
	$(BIN)/node node_modules/typescript/bin/tsc --project tsconfig.json

# The page needs lines and markers only, which are in the smallest of Plotly's bundles.
vendor: node_modules/.package-lock.json
	cp node_modules/$(PLOTLY) static/vendor/

# What the page and the server tell each other, as docs/protocol.schema.json has it.
wire: node_modules/.package-lock.json
	$(BIN)/node tools/wire_types.js

# The theme's notice about its successor is for whoever chooses the generator, not for each build.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

release: $(VENV)/.installed-release
	$(BIN)/python tests/packaging/release.py $(OLDEST_PYTHON)

venv: $(VENV)/.installed-test

clean:
	rm -rf $(VENV) .venv-torch-* .venv-integrations node_modules build dist *.egg-info tests/artifacts
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints.txt
	$(MAKE_VENV)
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml constraints.txt
	$(MAKE_VENV)
	$(PIP) install --constraint constraints.txt --editable '.[$*]'
	@touch $(VENV)/.installed $@

# That torch comes first, with what it asks for; what is tested beside it is pinned as usual.
.venv-torch-%/.installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check install torch==$(firstword $(subst -, ,$*))
	$(@D)/bin/python -m pip --disable-pip-version-check freeze > $(@D)/torch.txt
	awk -F'[ ;@=]' '{ name = tolower($$1); gsub(/[-_.]+/, "-", name) } \
		NR == FNR { known[name]; print; next } !(name in known)' \
		$(@D)/torch.txt constraints.txt > $(@D)/constraints.txt
	$(@D)/bin/python -m pip --disable-pip-version-check install \
		--constraint $(@D)/constraints.txt --editable '.[test]'
	@touch $@

.venv-integrations/.installed: pyproject.toml constraints.txt constraints-integrations.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check install --constraint constraints.txt \
		--constraint constraints-integrations.txt --editable '.[integrations]'
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json $(VENV)/.installed-test
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/npm ci
	@touch $@
