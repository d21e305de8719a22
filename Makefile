# What a developer does. Each target first makes all that it needs, from Python 3.11 with venv, git and make alone.
# ARGS goes to the program: `make demo ARGS="--users 2000"`, `make test ARGS="-k claim"`, `make lock ARGS=--upgrade`.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ingestd.stamp
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test test-corpus test-others lint types docs fuzz live bench bench-validation lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-24s%s\n' "$$name" "$$what"; done

venv: $(READY) ## make .venv with everything in it, ingestd too

demo: $(READY) ## show the whole of it on a synthetic district
	$(BIN)/ingestd demo $(ARGS)

# The corpus of bad drops takes about as long as all the rest: without ARGS the two go side by side.
test: lint types ## lint, types, docs and all tests: what CI runs
ifeq ($(ARGS),)
	$(MAKE) --jobs=2 --keep-going test-corpus test-others
else
	$(BIN)/pytest $(ARGS)
endif

test-corpus: $(READY)
	$(BIN)/pytest --quiet tests/corpus

test-others: $(READY)
	$(BIN)/pytest --ignore=tests/corpus

fuzz: $(READY) ## all laws with twenty times as many examples
	INGESTD_FUZZ=20 $(BIN)/pytest tests/laws tests/core tests/edge/test_unpack.py $(ARGS)

lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy --strict
	$(BIN)/mypy

docs: $(READY) ## write the generated parts of README.md
	$(BIN)/cog -r README.md

live: $(READY) ## hurt uploads of real clients for an hour, as root
	INGESTD_LIVE=10 $(BIN)/pytest --quiet tests/live/test_tamper.py
	$(BIN)/python tests/live/run.py $(ARGS)

bench: $(READY) ## measure first load and daily drop
	$(BIN)/python tests/bench/run.py $(ARGS)

bench-validation: $(READY) ## measure all rules over a million enrollments
	$(BIN)/python tests/bench/validation.py $(ARGS)

# The lock knows public files only: this machine's mirrors and wheels have no say in it, and it names no host.
lock: $(READY) ## resolve pyproject.toml to requirements.txt, with the hashes of all files
	env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --extra dev --all-build-deps --allow-unsafe --strip-extras --generate-hashes \
	--no-emit-options --output-file requirements.txt $(ARGS) pyproject.toml

clean: ## remove what the other targets made
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/locked.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("ingestd needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

# The build tools are locked too, so that nothing is fetched here.
$(READY): .venv/locked.stamp pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
