# `make demo`, `make test` and `make run` each do the set-up that they need. `make` alone lists all targets.

PY      := .venv/bin/python
READY   := .venv/.ready
LOCKED  := .venv/.locked
DEMO    := $(PY) -m relay.service.demo
KILLS    = 240
MINUTES  = 10
ROUNDS   = 10

# The Python for the set-up, 3.11 to 3.13; by default the first one on PATH: make PYTHON=/path/to/python3 test
PYTHON   =
INSTALL := sh .ci/install
LOCK     = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
	--custom-compile-command 'make lock' $(UPGRADE)

# A .venv whose Python is gone, or that was created in another folder, is created again.
ifneq ($(shell [ -x $(PY) ] && cat $(LOCKED) 2>/dev/null),$(CURDIR))
.PHONY: $(LOCKED)
endif

.PHONY: help setup demo test run check crash soak explore fuzz poison audit pictures bench peers tools test-docker test-clients lock clean
.NOTPARALLEL:

help: ## list the targets
	@while IFS= read -r line; do case $$line in [a-z]*:*"## "*) \
		printf '  make %-12s %s\n' "$${line%%:*}" "$${line##*## }";; esac; done <Makefile

setup: $(READY) ## install into .venv exactly what the locks pin

demo: $(READY) ## a relay, an app that fails in seven ways, and the digest that arrives
	@$(DEMO)

test: tools check ## everything that a change must pass

run: $(READY) ## run the relay until Ctrl-C
	@$(PY) -m relay serve

check: $(READY) ## `test` without installing anything outside of .venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m pytest -n auto --dist worksteal

test-docker: $(READY) ## the tests of the container; they need a Docker engine
	$(PY) -m pytest -m docker

test-clients: $(READY) ## send with 20 real SMTP clients, with and without TLS, AUTH and DSN (as root it installs them)
	@sh .ci/clients build/smtp-clients
	$(PY) -m tests.endurance.smtp_clients

crash: $(READY) ## kill the relay's processes KILLS=240 times under load, then print the books
	$(PY) -m tests.endurance.crash --kills $(KILLS)

soak: $(READY) ## mixed load and faults for MINUTES=10, then print the books and any leak
	$(PY) -m tests.endurance.soak --minutes $(MINUTES)

bench: $(READY) peers ## measure speed, size, growth, start and idle cost beside other servers (FULL=--full: for an hour)
	$(PY) -m benchmarks $(FULL)

fuzz: $(READY) ## fuzz every parser for MINUTES=10, guided by coverage
	@$(INSTALL) requirements-fuzz.lock
	@$(PY) -c 'import atheris' 2>/dev/null || { echo "atheris is not available for this machine: it has wheels only for Linux on x86-64."; exit 2; }
	$(PY) -m tests.endurance.fuzz --minutes $(MINUTES)

explore: $(READY) ## run the property tests ROUNDS=10 times with new random examples
	@for round in $$(seq $(ROUNDS)); do echo "Round $$round of $(ROUNDS)"; \
		$(PY) -m pytest -q -n auto -m hypothesis --hypothesis-profile exploring || exit; done

poison: $(READY) ## measure the cost of the worst mails, and of the worst text for each pattern
	$(PY) -m tests.endurance.poison --relay --patterns

audit: $(READY) ## check the locked packages for known vulnerabilities, or offline their hashes
	@$(INSTALL) requirements-audit.lock || echo "pip-audit cannot be installed here."
	@$(PY) .ci/audit.py

pictures: $(READY) ## take the pictures in docs/ again, with headless Chromium
	$(PY) .ci/pictures.py

lock: $(READY) ## write the locks again (UPGRADE=--upgrade: with newer versions)
	$(LOCK) pyproject.toml --extra server --extra postgres -o requirements.lock
	$(LOCK) pyproject.toml --extra server --extra postgres --extra oauth -c requirements.lock -o requirements-oauth.lock
	$(LOCK) pyproject.toml --extra dev -c requirements-oauth.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra fuzz -c requirements-dev.lock -o requirements-fuzz.lock
	$(LOCK) pyproject.toml --extra audit -c requirements-dev.lock -o requirements-audit.lock
	$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## remove what set-up and tests created
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find relay app_client tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(LOCKED): requirements-dev.lock
	@sh .ci/setup "$(PYTHON)"

$(READY): $(LOCKED) pyproject.toml
	@$(INSTALL) project
	@touch $@

peers: # the server that the benchmarks compare with; Debian's package must not start a server of its own
	@command -v smtp-source >/dev/null \
		|| { echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections && sh .ci/debian postfix; } 2>/dev/null \
		|| echo "Postfix is not installed: the comparison with it is skipped."

tools: # what the tests need and pip cannot install
	@sh .ci/tools
