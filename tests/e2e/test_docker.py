"""The container on a real engine, as docker-compose.yml runs it: from the documented recipe to a digest.

Only the ports of this machine differ: free ones, so that the tests pass where a relay or a mail server runs already.
"""

import email
import json
import logging
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from logging.handlers import SMTPHandler
from pathlib import Path

import pytest

from tests.support.compose import AWKWARD, COMPOSE_FILE, EXAMPLE, documented_variables, environment, quoted
from tests.support.paths import ROOT

pytestmark = pytest.mark.docker

ADMIN = "admin@example.com"
STATE = "/var/lib/error-mail-relay"
PASSWORD = "pa$word #1"
CHANGES = f"""
services:
  relay:
    build: {json.dumps(str(ROOT))}  # the compose file says `build: .`, and that is not the folder of the test
    ports: !override ["127.0.0.1::2525", "127.0.0.1::8026"]
"""
KINDS_OF_QUOTES = r"""
# a comment
RELAY_A=pa$word #1
RELAY_B='pa$word #1' # behind it
RELAY_C="x $RELAY_A y"
RELAY_D='it\'s \d \\d'
RELAY_E=a#b
RELAY_F=
RELAY_G=''
export RELAY_H = 'x'
RELAY_I= a b
RELAY_SMTP__AUTH_IN_CLEAR=
"""


class Stack:
    """The compose project under a name of its own, in a folder whose `.env` holds the settings of the test."""

    def __init__(self, folder: Path, env: str) -> None:
        (folder / ".env").write_text(env)
        changes = folder / "changes.yml"
        changes.write_text(CHANGES)
        self._command = ["docker", "compose", "--project-name", "error-mail-relay-test"]
        self._command += ["--project-directory", str(folder), "--file", str(COMPOSE_FILE), "--file", str(changes)]

    def __call__(self, *arguments: str) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
        done = subprocess.run(
            [*self._command, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def up(self) -> None:
        """Come back when the container is healthy; else fail with what the relay logged."""
        try:
            self("up", "--detach", "--wait", "relay")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self('logs', 'relay')}") from None

    def inspect(self, field: str) -> str:
        container = self("ps", "--all", "--quiet", "relay").strip()
        done = subprocess.run(
            ["docker", "inspect", "--format", f"{{{{json {field}}}}}", container],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return json.loads(done.stdout)

    def port(self, inside: int) -> int:
        """The port of this machine that leads to the one `inside` the container."""
        return int(self("port", "relay", str(inside)).rpartition(":")[2])

    def digests(self) -> list[EmailMessage]:
        listed = f"ls {STATE}/mailbox/new/* 2>/dev/null || true"  # there is no mailbox before the first digest
        names = self("exec", "relay", "sh", "-c", listed).split()
        return [email.message_from_string(self("exec", "relay", "cat", name), policy=policy.default) for name in names]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    try:
        subprocess.run(["docker", "info"], capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no Docker engine answers: start one, or set DOCKER_HOST")
    env = f"RELAY_ADMINS={ADMIN}\nRELAY_SENDER=\nRELAY_UPSTREAM__HOST=\nRELAY_HTTP__PASSWORD={quoted(PASSWORD)}\n"
    stack = Stack(tmp_path_factory.mktemp("compose"), env)
    stack("down", "--volumes")
    stack("build", "relay")
    try:
        stack.up()
        yield stack
    finally:
        stack("down", "--volumes")


@pytest.fixture
def app_logger(stack: Stack) -> Iterator[logging.Logger]:
    """An app's logger with the documented recipe, which knows nothing of the relay."""
    handler = SMTPHandler(
        ("127.0.0.1", stack.port(2525)), "server-error@example.com", [ADMIN], "YourApplication Failed"
    )
    handler.setLevel(logging.ERROR)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    yield logger
    handler.close()


def fail(logger: logging.Logger, times: int) -> None:
    for number in range(times):
        try:
            number // 0
        except ZeroDivisionError:
            logger.exception("checkout of order %d failed", number)


def wait_for_digest(stack: Stack, *, within: float) -> EmailMessage:
    """The budget is the promise of first news with room for a slow machine, and ends the test where it is broken."""
    deadline = time.monotonic() + within
    while not (found := stack.digests()):
        assert time.monotonic() < deadline, stack("logs", "relay")
        time.sleep(0.5)
    assert len(found) == 1
    return found[0]


EVERY_VARIABLE = "".join(f"{name}={quoted(AWKWARD)}\n" for name in documented_variables())


@pytest.mark.parametrize("env", [EVERY_VARIABLE, EXAMPLE.read_text(), KINDS_OF_QUOTES])
def test_compose_reads_the_env_file_as_the_other_tests_do(tmp_path, env):
    """`docker compose config` needs no engine. It prints each `$` twice."""
    try:
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("Docker Compose is not installed")

    described = json.loads(Stack(tmp_path, env)("config", "--format", "json"))

    found = described["services"]["relay"]["environment"]
    assert {name: value.replace("$$", "$") for name, value in found.items()} == environment("relay", tmp_path)


def test_password_in_the_env_file_closes_the_dashboard(stack):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{stack.port(8026)}/", timeout=10)
    refused.value.close()

    assert refused.value.code == 401
    assert stack("exec", "relay", "printenv", "RELAY_HTTP__PASSWORD") == f"{PASSWORD}\n"


def test_container_is_healthy_confined_and_unprivileged(stack):
    processes = stack("exec", "relay", "sh", "-c", "cat /proc/[0-9]*/status")

    assert stack.inspect(".State.Health.Status") == "healthy"
    assert set(re.findall(r"^Uid:\s+(\d+)", processes, re.MULTILINE)) == {"2525"}
    assert set(re.findall(r"^CapEff:\s+(\w+)", processes, re.MULTILINE)) == {"0" * 16}
    assert stack("exec", "relay", "sh", "-c", "touch /opt/relay/x /etc/x 2>/dev/null || echo refused") == "refused\n"
    assert {port["HostIp"] for ports in stack.inspect(".NetworkSettings.Ports").values() for port in ports} == {
        "127.0.0.1"
    }


def test_mail_accepted_before_down_is_reported_after_up(stack, app_logger):
    """Forty equal errors, then down before their first news was due: the digest counts all forty."""
    fail(app_logger, 40)
    stack("down")
    assert not stack("ps", "--all", "--quiet")

    stack.up()
    digest = wait_for_digest(stack, within=90)

    text = digest.get_body(("plain",))
    books = json.loads(stack("exec", "relay", "relay", "status", "--json"))
    assert digest["To"] == ADMIN
    assert "ZeroDivisionError" in digest["Subject"]
    assert "40×" in digest["Subject"]
    assert text is not None
    assert "checkout of order" in text.get_content()
    assert (books["received"], books["reported"], books["balanced"]) == (40, 40, True)


def test_bash_in_the_container_completes_the_command(stack):
    assert "_relay_completion relay" in stack("exec", "relay", "bash", "-ic", "complete -p relay")


def test_stop_ends_it_in_order(stack):
    """SIGTERM reaches the program: it ends by itself, with 0, long before it would be killed."""
    stack("stop", "--timeout", "20", "relay")

    assert stack.inspect(".State.ExitCode") == 0
