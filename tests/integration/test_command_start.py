"""What each command loads: the libraries of a command are most of its processor time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context, Group
from click.testing import CliRunner

from relay import config
from relay.cli import health, main
from relay.cli.health import START_PERIOD
from relay.config import Listen
from relay.ledger import Ledger
from tests.support.paths import ROOT

PROGRAM = """
import sys
from relay.cli import main
try:
    main(sys.argv[1:], prog_name="relay")
except SystemExit:
    pass
print("loaded:", *sys.modules, file=sys.stderr)
"""
LIBRARIES = {
    "aiosmtpd", "aiosmtplib", "alembic", "asyncio", "email", "flask", "http", "jinja2", "logging", "pydantic", "rich",
    "smtplib", "sqlalchemy", "ssl", "structlog", "urllib.request", "waitress",
}  # fmt: skip
"""All that takes long to load, of others and of Python's own."""
NEEDED = {"pydantic", "sqlalchemy", "asyncio", "email", "http", "logging", "ssl"}
"""What the configuration and the ledger need; the last five because their libraries import them."""


def loaded_by(*arguments: str, **environment: str) -> set[str]:
    """Run `relay ARGUMENTS` in a process of its own; return the modules that it loaded."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert "loaded:" in done.stderr, done.stderr
    return set(done.stderr.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["health", "--timeout", "1"], ["outbox", "--help"]])
def test_help_and_health_load_no_library_but_that_of_the_command_line(arguments):
    nowhere = {"RELAY_SMTP__LISTEN": "127.0.0.1:1", "RELAY_HTTP__LISTEN": "127.0.0.1:1"}

    assert LIBRARIES & loaded_by(*arguments, **nowhere) == set()


@pytest.mark.parametrize("command", main.list_commands(Context(main)))
def test_help_of_a_command_loads_no_library(command):
    """So the list of all commands, which needs each one's first sentence, is fast as well."""
    found = main.get_command(Context(main), command)
    assert found is not None
    within = [*found.commands][:1] if isinstance(found, Group) else []

    assert LIBRARIES & loaded_by(command, *within, "--help") == set()


def test_status_loads_what_configuration_and_ledger_need(tmp_path: Path):
    Ledger.open(f"sqlite:///{tmp_path}/ledger.db").close()

    loaded = loaded_by("status", RELAY_STORAGE__DATA_DIR=str(tmp_path))

    assert {"pydantic", "sqlalchemy"} <= loaded
    assert LIBRARIES & loaded - NEEDED == set()
    assert [name for name in loaded if re.match(r"sqlalchemy\.dialects\.(?!sqlite|_)\w|psycopg", name)] == []


def test_command_line_sets_a_threshold_so_that_loading_is_not_interrupted_by_garbage_collections():
    run = "main(['outbox', '--help'], standalone_mode=False)"
    program = f"import gc; from relay.cli import main; {run}; print(gc.get_threshold())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(re.findall(r"\((\d+)", done.stdout)[0]) >= 10_000


def test_no_name_of_the_configuration_is_that_of_a_module():
    """Importing the module would replace the name in the package."""
    modules = {file.stem for file in Path(config.__file__).parent.glob("*.py")}

    assert set(config.__all__) & modules == set()
    assert all(getattr(config, name) for name in config.__all__)


def test_container_is_checked_each_second_while_it_starts_and_seldom_afterwards():
    """A check starts a process: at ten seconds it would cost more than the idle relay."""
    line = health_check_of_the_image()

    seconds = {name: int(value) for name, value in re.findall(r"--([\w-]+)=(\d+)s", line)}
    (pause,) = re.findall(r'CMD \["relay", "health", "--pause", "(\d+)"\]$', line)
    assert seconds["interval"] == 1
    assert seconds["interval"] + int(pause) >= 30
    assert seconds["start-period"] == START_PERIOD
    assert seconds["timeout"] > int(pause) + 2 * 5, "the pause, then the greeting and a page with their timeouts"


def test_image_can_be_built_by_engines_before_docker_25():
    """The builder of Docker 20.10 to 24 stops at an option that it does not know."""
    options = set(re.findall(r"--([\w-]+)=", health_check_of_the_image()))

    assert options <= {"interval", "timeout", "start-period", "retries"}


def health_check_of_the_image() -> str:
    (line,) = re.findall(r"(?m)^HEALTHCHECK (.+)$", (ROOT / "Dockerfile").read_text())
    return line


@pytest.mark.parametrize(("age", "waits"), [(2.0, []), (19.9, []), (20.1, [29.0]), (86_400.0, [29.0])])
def test_health_check_pauses_only_when_the_container_has_started(
    monkeypatch: pytest.MonkeyPatch, age: float, waits: list[float]
):
    slept: list[float] = []
    monkeypatch.setattr(health, "container_age", lambda: age)
    monkeypatch.setattr("time.sleep", slept.append)

    nowhere = Listen("127.0.0.1", 1)
    monkeypatch.setattr(health, "listen_addresses", lambda _: (nowhere, nowhere))
    CliRunner().invoke(health.health, ["--pause", "29", "--timeout", "1"])

    assert slept == waits


def test_age_of_the_container_is_that_of_process_1(tmp_path: Path):
    (tmp_path / "1").mkdir()
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "uptime").write_text("1000.50 3.00\n")
    (tmp_path / "1" / "stat").write_text(f"1 (a ) name) S {' 0' * 18} {970 * ticks} 5 6\n")

    assert health.container_age(tmp_path) == pytest.approx(30.5)
    assert health.container_age(tmp_path / "no proc") == 0
