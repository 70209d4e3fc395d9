# `make demo`, `make test`, `make run`: each does the set-up that it needs. `make` alone lists the rest.

PY      := .venv/bin/python
READY   := .venv/.ready
LOCKED  := .venv/.locked
DEMO    := $(PY) -m relay.service.demo
KILLS    = 240
MINUTES  = 10
ROUNDS   = 10

# The Python to set up with, 3.11 to 3.13; without it, the first on PATH: make PYTHON=/path/to/python3 test
PYTHON   =
INSTALL := sh .ci/install
LOCK     = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
	--custom-compile-command 'make lock' $(UPGRADE)

# A .venv whose Python is gone, or that was made in another folder, is made anew.
ifneq ($(shell [ -x $(PY) ] && cat $(LOCKED) 2>/dev/null),$(CURDIR))
.PHONY: $(LOCKED)
endif

.PHONY: help setup demo test run check crash soak explore fuzz poison audit bench peers tools test-docker lock clean
.NOTPARALLEL:

help: ## say what can be made
	@while IFS= read -r line; do case $$line in [a-z]*:*"## "*) \
		printf '  make %-12s %s\n' "$${line%%:*}" "$${line##*## }";; esac; done <Makefile

setup: $(READY) ## install everything into .venv, as the locks say

demo: $(READY) ## a relay, an app that fails in seven ways, and the digest that arrives
	@$(DEMO)

test: tools check ## everything that a change must pass

run: $(READY) ## keep the relay up; Ctrl-C ends it
	@$(PY) -m relay serve

check: $(READY) ## `test` without installing anything outside of .venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m pytest -n auto --dist worksteal

test-docker: $(READY) ## the container's tests; they need a Docker engine
	$(PY) -m pytest -m docker

crash: $(READY) ## end the relay's processes KILLS=240 times under load, and print the books
	$(PY) -m tests.endurance.crash --kills $(KILLS)

soak: $(READY) ## mixed load and faults for MINUTES=10, then the books, and whether anything leaked
	$(PY) -m tests.endurance.soak --minutes $(MINUTES)

bench: $(READY) peers ## measure speed, size, growth and start beside other servers, and print one table (FULL=--full: for an hour)
	$(PY) -m benchmarks $(FULL)

fuzz: $(READY) ## fuzz every parser for MINUTES=10, guided by coverage
	@$(INSTALL) requirements-fuzz.lock
	@$(PY) -c 'import atheris' 2>/dev/null || { echo "There is no atheris for this machine: it has wheels for Linux on x86-64 alone."; exit 2; }
	$(PY) -m tests.endurance.fuzz --minutes $(MINUTES)

explore: $(READY) ## run the generated tests ROUNDS=10 times with examples that nobody has seen
	@for round in $$(seq $(ROUNDS)); do echo "Round $$round of $(ROUNDS)"; \
		$(PY) -m pytest -q -n auto -m hypothesis --hypothesis-profile exploring || exit; done

poison: $(READY) ## what the worst mails and the worst texts for each pattern cost
	$(PY) -m tests.endurance.poison --relay --patterns

audit: $(READY) ## known holes in what the locks pin; where nobody can be asked, whether their hashes hold
	@$(INSTALL) requirements-audit.lock || echo "pip-audit cannot be installed here."
	@$(PY) .ci/audit.py

lock: $(READY) ## make the locks anew (UPGRADE=--upgrade: with newer versions)
	$(LOCK) pyproject.toml --extra server --extra postgres -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra fuzz -c requirements-dev.lock -o requirements-fuzz.lock
	$(LOCK) pyproject.toml --extra audit -c requirements-dev.lock -o requirements-audit.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## remove what set-up and tests made
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find relay app_client tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(LOCKED): requirements-dev.lock
	@sh .ci/setup "$(PYTHON)"

$(READY): $(LOCKED) pyproject.toml
	@$(INSTALL) project
	@touch $@

peers: # what the benchmarks compare with; Debian's package shall not start a server of its own
	@command -v smtp-source >/dev/null \
		|| { echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections && sh .ci/debian postfix; } 2>/dev/null \
		|| echo "Postfix is not installed: the comparison with it is left out."

tools: # what the tests need and pip cannot bring
	@sh .ci/tools
