# `make demo`, `make test`, `make run`: each does the set-up that it needs. `make` alone lists the rest.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
DEMO  := $(BIN)/python -m relay.service.demo
KILLS  = 240
MINUTES = 10
ROUNDS = 10

# The first Python that is new enough; to take another one: make PYTHON=/path/to/python3 test
PYTHON = $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
PIP    = $(BIN)/pip --quiet --disable-pip-version-check
LOCK   = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
	--custom-compile-command 'make lock' $(UPGRADE)

# Installs Debian packages where that needs no asking; fails elsewhere.
debian = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null
apt = { $(debian) && echo "Installing $(1) ..." && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1) >/dev/null; }
# The tests start servers of their own: Debian's package shall not start one as well.
NO_CLUSTER := /etc/postgresql-common/createcluster.d/error-mail-relay.conf

.PHONY: help setup demo test run check crash soak explore fuzz poison audit bench peers tools test-docker lock clean
.NOTPARALLEL:

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## install everything into .venv, as the locks say

demo: $(READY) ## a relay, an app that fails in seven ways, and the digest that arrives
	@$(DEMO)

test: tools check ## everything that a change must pass

run: $(READY) ## keep the relay up; Ctrl-C ends it
	@$(BIN)/relay serve

check: $(READY) ## `test` without installing anything outside of .venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal

test-docker: $(READY) ## the container's tests; they need a Docker engine
	$(BIN)/pytest -m docker

crash: $(READY) ## end the relay's processes KILLS=240 times under load, and print the books
	$(BIN)/python benchmarks/crash.py --kills $(KILLS)

soak: $(READY) ## mixed load and faults for MINUTES=10, then the books, and whether anything leaked
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

bench: $(READY) peers ## measure speed, size, growth and start beside other servers, and print one table (FULL=--full: for an hour)
	$(BIN)/python -m benchmarks $(FULL)

fuzz: $(READY) ## fuzz every parser for MINUTES=10, guided by coverage
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) install --no-deps --require-hashes -r requirements-fuzz.lock \
		|| { echo "atheris cannot be installed here: it has wheels for Linux on x86-64 alone."; exit 2; }
	$(BIN)/python -m benchmarks.fuzz --minutes $(MINUTES)

explore: $(READY) ## run the generated tests ROUNDS=10 times with examples that nobody has seen
	@for round in $$(seq $(ROUNDS)); do echo "Round $$round of $(ROUNDS)"; \
		$(BIN)/pytest -q -n auto -m hypothesis --hypothesis-profile exploring || exit; done

poison: $(READY) ## what the worst mails and the worst texts for each pattern cost
	$(BIN)/python -m benchmarks.poison --relay --patterns

audit: $(READY) ## known holes in what the locks pin; where nobody can be asked, whether their hashes hold
	@$(BIN)/python -c 'import pip_audit' 2>/dev/null || $(PIP) install --no-deps --require-hashes -r requirements-audit.lock \
		|| echo "pip-audit cannot be installed here."
	@$(BIN)/python .ci/audit.py

lock: $(READY) ## make the locks anew (UPGRADE=--upgrade: with newer versions)
	$(LOCK) pyproject.toml --extra server --extra postgres -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra fuzz -c requirements-dev.lock -o requirements-fuzz.lock
	$(LOCK) pyproject.toml --extra audit -c requirements-dev.lock -o requirements-audit.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## remove what set-up and tests made
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find relay app_client tests -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements-dev.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Found no Python 3.11 or later. Install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3-venv) || { \
		echo "$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); the first time takes about a minute ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@

peers: # what the benchmarks compare with; Debian's package shall not start a server of its own
	@command -v smtp-source >/dev/null || { $(debian) \
			&& echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections \
			&& $(call apt,postfix); } \
		|| echo "Postfix is not installed: the comparison with it is left out."

tools: # what the tests need and pip cannot bring
	@command -v swaks >/dev/null || $(call apt,swaks libnet-ssleay-perl) \
		|| echo "swaks is not installed: the tests that send with it are skipped."
	@command -v strace >/dev/null || $(call apt,strace) \
		|| echo "strace is not installed: the test of what is synced before an answer is skipped."
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
		|| { $(debian) && mkdir -p $(dir $(NO_CLUSTER)) && echo 'create_main_cluster = false' >$(NO_CLUSTER) \
			&& $(call apt,postgresql) && rm $(NO_CLUSTER); } \
		|| echo "PostgreSQL is not installed: the ledger's tests on it are skipped."
