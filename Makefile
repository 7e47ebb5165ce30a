# make demo: a whole call centre on this machine. make test: every check. make bench: callrouter against
# app_queue. All set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

# make test runs the stages of tests/stages.py, or some of them: STAGES="pure style".

.PHONY: demo test coverage bench scale pageload screenshots browser-matrix soak chaos chaos-short cluster-chaos fuzz held labday lint types layers unit asterisk lock sbom vendor clean

demo: $(STAMP)
	@$(BIN)/callrouter demo

test: $(STAMP)
	@$(BIN)/python -m tests.stages $(STAGES) $(if $(PYTEST),-- $(PYTEST))

# Which lines the tests reach. It takes longer than make test, which does not measure that.
coverage: $(STAMP)
	@$(BIN)/python -m tests.stages coverage $(if $(PYTEST),-- $(PYTEST))

# The same alone: CHAOS_SECONDS and CHAOS_SEED change the run.
chaos-short: $(STAMP)
	@$(BIN)/python -m pytest -m chaos -s --no-header

# Ten minutes of faults on a busy floor; SEED=n repeats a run, SECONDS=n makes it shorter.
chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# Half an hour of faults on three routers, three Asterisks and two PostgreSQL servers, each on a machine of its own (a
# network namespace; root only). SEED=n repeats a run, SECONDS=n makes it shorter, FAULT="active killed" plays one.
cluster-chaos: $(STAMP)
	@$(BIN)/python -m tests.cluster_chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(FAULT),--only "$(FAULT)")

# An hour of five calls a second on a virtual clock, in a minute or so; make test has a quarter of it.
soak: $(STAMP)
	@SOAK=3600 $(BIN)/python -m pytest -m load -s --no-header tests/simulated/test_soak.py

# Ten minutes; make bench BENCH="--only b --agents 10" and so on, see make bench BENCH=--help.
bench: $(STAMP)
	@$(BIN)/python -c "import matplotlib" 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock || \
	  echo "matplotlib could not be had: there will be no picture"
	@$(BIN)/python -m bench.versus $(BENCH)

# Twenty simulated Asterisks at one router, at two, and what its time goes into: nine minutes. SCALE="--pbxes 5" and so on
# takes one measurement, see SCALE=--help.
scale: $(STAMP)
	@$(BIN)/python -m bench.scale $(or $(SCALE),--series)

# Ten minutes of a busy floor on a supervisor's screen; SECONDS=n makes it shorter, PAGELOAD="--view floor" and so on.
pageload: $(STAMP)
	@$(BIN)/python -m bench.pageload $(if $(SECONDS),--seconds $(SECONDS)) $(PAGELOAD)

# Every task at the page by mouse and by keyboard, at 320 and 1920 pixels, in every language: a quarter of an hour.
# make test does each task in some of these ways. MATRIX=tests/browser/test_tables.py tries one file, MATRIX="-k transfer" some.
browser-matrix: $(STAMP)
	@$(BIN)/python -m tests.browser.chromium
	@BROWSER_MATRIX=1 $(BIN)/python -m tests.twice -n 2 --dist loadfile \
	  $(if $(filter tests/%,$(MATRIX)),,tests/browser) $(MATRIX)

# Pictures of every page into docs/images, of the demo in a real browser.
screenshots: $(STAMP)
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.browser.screenshots $(SHOTS)

# Hostile bytes at every door: a minute at each (SECONDS=), and CALLS=10000 hostile callers at a real Asterisk.
fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz $(if $(DOOR),$(DOOR)) --seconds $(or $(SECONDS),60) --calls $(or $(CALLS),10000) \
	  $(if $(SEED),--seed $(SEED))

# The lab day in spring and in autumn, each until lost callers are given up (five minutes); make test has the virtual day.
labday: $(STAMP)
	@LAB_DAYS=all $(BIN)/python -m pytest -s --no-header tests/labday

# Doors that have held, tried again in full: ten minutes; DOOR= tries one.
held: $(STAMP)
	@$(BIN)/python -m tests.held $(DOOR)

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/vulture

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports --no-cache

unit: $(STAMP)
	$(BIN)/pytest -m "not asterisk"

asterisk: $(STAMP)
	$(BIN)/pytest -m "asterisk and not chaos"

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up a virtual environment in $(VENV) (about a minute the first time) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' || \
	  { echo "callrouter needs Python 3.11.2 or later; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile \
	  -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # pip would compile on one processor alone
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The exact versions, with the digests of all their files for every Python from 3.11 on: requirements.lock for tests
# and demo, production.lock for installations. After changing the bounds in pyproject.toml; UPGRADE=1 takes the newest.
# The extras stay: pip refuses a lock in which a package is pinned without the extra that another package asks for.
LOCK = $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-strip-extras --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock:
	@rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@printf 'hatchling\neditables\n' | $(LOCK) pyproject.toml - --extra test -o requirements.lock
	@$(LOCK) pyproject.toml --extra twilio --extra postgres --extra fast --extra reports --extra oidc -c requirements.lock -o production.lock
	@printf 'matplotlib>=3.10\n' | $(LOCK) - -c requirements.lock -o bench/requirements.lock
	@rm -rf $(VENV)-lock

# What is inside a production installation, as CycloneDX 1.6, in sbom.json.
sbom: $(STAMP)
	@$(BIN)/python -m release.sbom > sbom.json && echo "wrote sbom.json"

# What the page takes from npm, bundled and pinned by digests; after changing release/vendor/package.json.
vendor: $(STAMP)
	@$(BIN)/python -m release.vendor_page

clean:
	rm -rf $(VENV)
