# Needs Python >= 3.11 with pip, and make. `make help` lists the targets.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=
EXAMPLES ?= 100
DIST ?= dist
BIN := .venv/bin
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
COMPILE_NPM := npm install --silent --package-lock-only --omit-lockfile-registry-resolved

# Install a lock file into .venv unless it is installed already; uv is faster where it is on PATH.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11: name a newer one by 'make $@ PYTHON=python3.11'" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv --without-pip .venv; }
	@want="$$(cksum < $(1))"; if [ "$$(cat .venv/installed-$(subst /,-,$(1)) 2>/dev/null)" != "$$want" ]; then \
		echo "Installing $(1) into .venv"; quiet=$$([ -t 1 ] || echo --quiet); \
		if command -v uv >/dev/null; then \
			uv pip install $$quiet --python $(BIN)/python --require-hashes -r $(1); \
		else \
			$(PYTHON) -m pip --python $(BIN)/python install $$quiet --disable-pip-version-check --require-hashes -r $(1); \
		fi && echo "$$want" > .venv/installed-$(subst /,-,$(1)); fi
endef

.PHONY: help run test clone-test contract-test lint bench chaos schema lock install install-dev install-bench \
	install-browser browser-test install-sdk sdk-test require-node client-test scale-test attack-test wheel wheel-test whole-test

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: install ## set up, then serve on HOST and PORT (ARGS: more options of `manage.py serve`)
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT) $(ARGS)

test: install-dev ## set up, then run the whole test suite on a Postgres it starts itself (ARGS: options of pytest)
	$(BIN)/python -m pytest $(ARGS)

clone-test: ## run both commands in fresh clones: of root, where only root can enter and elsewhere, and of a user (30 minutes)
	@test "$$(id -u)" = 0 || { echo "error: this target needs root: run it by 'sudo make clone-test'" >&2; exit 1; }
	@command -v setpriv >/dev/null || \
		{ echo "error: setpriv is missing: install the package 'util-linux' (apt-get install util-linux)" >&2; exit 1; }
	$(PYTHON) tests/suites/clones.py $(ARGS)

contract-test: install-dev ## call every operation with much data made from the schema (EXAMPLES of each; ARGS: of pytest)
	CONTRACT_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/api/test_contract.py -n 0 $(ARGS)

attack-test: install-dev ## try every bad request and every attack (15 minutes; ARGS: options of pytest)
	EVERY_CASE=1 $(BIN)/python -m pytest tests/attacks tests/api tests/backup/test_hostile_dumps.py $(ARGS)

wheel: ## build the wheels of the server and of pytest-core6 into DIST
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(DIST) . ./tests/plugin

wheel-test: install-dev ## install the wheels outside of the checkout and run them (needs curl; ARGS: options of pytest)
	@command -v curl >/dev/null || { echo "error: curl is missing: install the package 'curl' (apt-get install curl)" >&2; exit 1; }
	PYTHON=$(PYTHON) $(BIN)/python -m pytest tests/suites/wheel/wheel_*.py -n 0 $(ARGS)

whole-test: install-dev ## run the suite with every case and every test of a server (40 minutes; ARGS: options of pytest)
	EVERY_CASE=1 $(BIN)/python -m pytest $(ARGS)

lint: install-dev ## formatter, linter, types, import contracts, migrations check, schema check
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	DJANGO_SETTINGS_MODULE=tests.support.lint_settings $(BIN)/python -W error manage.py check --fail-level WARNING
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/python -W error manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: install-bench ## measure requests beside four peers, cohorts beside DuckDB (needs wrk; ARGS: --quick, --only NAME)
	$(BIN)/python -m tests.suites.benchmarks $(ARGS)

chaos: install-dev ## break a running server on purpose and look for lost writes (10 minutes, needs nginx; ARGS: of pytest)
	@PATH="$$PATH:/usr/sbin"; for each in nginx openssl curl; do command -v $$each >/dev/null || \
		{ echo "error: $$each is missing: install the package '$$each' (apt-get install $$each)" >&2; exit 1; }; done
	$(BIN)/python -m pytest tests/suites/chaos/chaos_*.py -n 0 $(ARGS)

scale-test: install-dev ## several machines, PgBouncer, a replica that is killed and promoted (3 minutes; needs pgbouncer; ARGS)
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || \
		{ echo "error: pgbouncer is missing: install the package 'pgbouncer' (apt-get install pgbouncer)" >&2; exit 1; }
	$(BIN)/python -m pytest tests/suites/scale/scale_*.py -n 0 $(ARGS)

browser-test: install-browser ## look at the pages in headless Chromium (ARGS: options of pytest)
	@command -v chromium >/dev/null || \
		{ echo "error: chromium is missing: install the package 'chromium' (apt-get install chromium)" >&2; exit 1; }
	$(BIN)/python -m pytest tests/suites/browser/browser_*.py -n 0 $(ARGS)

sdk-test: install-sdk ## call a server by clients that three generators make of the schema (ARGS: options of pytest)
	@for each in node:nodejs npm:npm java:default-jre-headless curl:curl; do command -v $${each%:*} >/dev/null || \
		{ echo "error: $${each%:*} is missing: install the package '$${each#*:}' (apt-get install $${each#*:})" >&2; \
		exit 1; }; done
	$(BIN)/python -m pytest tests/suites/sdk/sdk_*.py -n 0 $(ARGS)

client-test: require-node install-dev ## call a server by unmodified clients of npm and PyPI (ARGS: options of pytest)
	$(BIN)/python -m pytest tests/suites/clients/client_*.py $(ARGS)

require-node:
	@for each in node:nodejs npm:npm; do command -v $${each%:*} >/dev/null || \
		{ echo "error: $${each%:*} is missing: install the package '$${each#*:}' (apt-get install $${each#*:})" >&2; \
		exit 1; }; done

schema: install-dev ## write the contract, tests/openapi.yml, and the schema of provisioning files anew from the code
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --custom-settings tests.support.schema_settings.SETTINGS \
		--file tests/openapi.yml
	$(BIN)/python manage.py provision --schema > core6/provisioning/schema.json

lock: ## write every lock file anew (needs uv and npm)
	@command -v uv >/dev/null || { echo "error: uv is missing: install it by 'pip install uv'" >&2; exit 1; }
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(COMPILE) --group bench -c requirements-dev.lock -o tests/suites/benchmarks/requirements.lock
	$(COMPILE) --group browser -c requirements-dev.lock -o tests/suites/browser/requirements.lock
	$(COMPILE) --group sdk -c requirements-dev.lock -o tests/suites/sdk/requirements.lock
	for each in airbyte arcade mcparmory phog piglet; do \
		$(COMPILE) tests/suites/clients/$$each.in -o tests/suites/clients/$$each.lock || exit 1; done
	cd tests/suites/sdk && $(COMPILE_NPM)
	cd tests/suites/clients && $(COMPILE_NPM)

install:
	$(call install,requirements.lock)

install-dev:
	$(call install,requirements-dev.lock)

install-bench: install-dev
	$(call install,tests/suites/benchmarks/requirements.lock)

install-browser: install-dev
	$(call install,tests/suites/browser/requirements.lock)

install-sdk: install-dev
	$(call install,tests/suites/sdk/requirements.lock)
