"""requirements.lock alone is enough to run the relay, and the commands of docs/operations.md install it."""

from __future__ import annotations

import re
import shlex
import smtplib
import sys
from pathlib import Path

from tests.setup.surroundings import Machine, interpreters, with_links
from tests.support.paths import ROOT
from tests.support.processes import Relay, wait_for

DOCUMENTED = "/opt/error-mail-relay"
MAIL = "From: app@example.com\r\nTo: ops@example.com\r\nSubject: Failed\r\n\r\nno stock of 17\r\n"


def documented_commands() -> list[list[str]]:
    """Return the commands of docs/operations.md that create the virtual environment and install into it."""
    [block] = re.findall(
        r"^## Run it without Docker\n\n((?: {4}.*\n)+)", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    split = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [command for command in split if command[0] in {"python3", f"{DOCUMENTED}/bin/pip"}]


def install(machine: Machine, place: Path, wanted: list[list[str]], **environ: str) -> Path:
    """Run the documented commands with `place` as the folder; return the Python in it."""
    machine.link("python3", interpreters()[0].path)
    for command in wanted:
        done = machine.run(*[word.replace(DOCUMENTED, str(place)) for word in command], **environ)
        assert done.returncode == 0, done.stdout
    return place / "bin" / "python"


def accept_a_mail_and_stop(folder: Path) -> None:
    """Start `relay serve` with `sys.executable`, send it a mail, wait until it is counted, and stop it by SIGTERM."""
    with Relay(folder) as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30) as client:
            client.sendmail("app@example.com", ["ops@example.com"], MAIL)
        wait_for(lambda: relay.status()["pending"] == 1, "the mail to be counted")
        assert relay.stop() == 0


def test_requirements_lock_alone_is_enough_to_run_the_relay(machine, an_index, tmp_path, monkeypatch):
    """The relay is imported from the checkout, so only that lock is installed."""
    first, second = documented_commands()[:2]
    assert first[:3] == ["python3", "-m", "venv"]
    assert second[-2:] == ["-r", "requirements.lock"]

    monkeypatch.setattr(sys, "executable", str(install(machine(), tmp_path / "venv", [first, second])))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    accept_a_mail_and_stop(tmp_path / "relay")


def test_documented_commands_install_a_working_relay(machine, an_index, higher_versions, tmp_path, monkeypatch):
    """The index has a higher version of everything, also of what builds the package."""
    python = install(machine(), tmp_path / "venv", documented_commands(), PIP_FIND_LINKS=with_links(higher_versions))

    monkeypatch.chdir(tmp_path)  # outside of the checkout, so that the installed relay runs
    monkeypatch.setattr(sys, "executable", str(python))
    accept_a_mail_and_stop(tmp_path / "relay")
    assert (python.parent / "relay").is_file()
