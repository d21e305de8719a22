# What a developer does. Each target first makes all that it needs, from Python 3.11 with venv, git and make alone.
# ARGS goes to the program: `make demo ARGS="--users 2000"`, `make test ARGS="-k claim"`, `make lock ARGS=--upgrade`.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ingestd.stamp
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test test-outside test-others lint types docs fuzz fuzz-sftp images watching
.PHONY: kills kill-postgres live bench bench-validation bench-mapping bench-server bench-sinks lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-24s%s\n' "$$name" "$$what"; done

venv: $(READY) ## make .venv with everything in it, ingestd too

demo: $(READY) ## show the whole of it on a synthetic district
	$(BIN)/ingestd demo $(ARGS)

# Bad drops, bad clients, sinks and kills take about as long as all the rest: without ARGS the two go side by side.
test: lint types ## lint, types, docs and all tests: what CI runs
ifeq ($(ARGS),)
	$(MAKE) --jobs=2 --keep-going test-outside test-others
else
	$(BIN)/pytest $(ARGS)
endif

OUTSIDE := tests/corpus tests/hostile tests/live tests/contracts tests/faults

test-outside: $(READY)
	$(BIN)/pytest --quiet $(OUTSIDE)

test-others: $(READY)
	$(BIN)/pytest $(OUTSIDE:%=--ignore=%)

fuzz: $(READY) ## all laws with twenty times as many examples
	INGESTD_FUZZ=20 $(BIN)/pytest tests/laws tests/core tests/edge/test_unpack.py $(ARGS)

images: $(READY) ## try 60,000 partial images of drops: none may be taken for a whole one
	$(BIN)/python tests/bench/images.py $(ARGS)

watching: $(READY) ## harm a watched folder at length: 100,000 drops in one overflow, 4,000 amid churn
	INGESTD_CREATES=100000 INGESTD_CHURN=4000 $(BIN)/pytest tests/watched $(ARGS)

fuzz-sftp: $(READY) ## the SFTP server under 100,000 mutated packets
	INGESTD_FUZZ=334 $(BIN)/pytest tests/hostile/test_packets.py -k mutated $(ARGS)

kills: $(READY) ## kill what posts to a webhook a thousand times, and meet each of its faults with twenty seeds
	INGESTD_KILLS=1000 INGESTD_SEEDS=20 $(BIN)/pytest tests/faults/test_webhook_kill.py \
		tests/contracts/test_webhook_faults.py $(ARGS)

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

bench-mapping: $(READY) ## measure a whole district mapped anew, beside a bare read of the same drop
	$(BIN)/python tests/bench/mapping.py $(ARGS)

bench-server: $(READY) ## load, floods and tried keys on the SFTP server, beside OpenSSH
	PYTHONPATH=tests $(BIN)/python tests/bench/server.py $(ARGS)

bench-sinks: $(READY) ## a million target records, and a day's 15,000, into PostgreSQL and SQLite, beside the same by hand
	PYTHONPATH=tests $(BIN)/python tests/bench/sinks.py $(ARGS)

kill-postgres: $(READY) ## kill ingestd 1,000 times while it writes to PostgreSQL
	INGESTD_KILLS=1000 $(BIN)/pytest --quiet tests/faults/test_kill_postgres.py $(ARGS)

# The lock knows public files only: this machine's mirrors and wheels have no say in it, and it names no host.
lock: $(READY) ## resolve pyproject.toml to requirements.txt, with the hashes of all files
	env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --extra dev --extra postgres --all-build-deps --allow-unsafe --strip-extras --generate-hashes \
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
