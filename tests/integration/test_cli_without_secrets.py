"""Commands that do not send work without the secrets, which under systemd only the service can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.ledger import Ledger
from tests.support.paths import ROOT
from tests.support.smtp_sinks import Sink

READERS = (
    ["status"],
    ["groups"],
    ["plan"],
    ["render"],
    ["outbox", "list"],
    ["regroup", "--dry-run"],
    ["explain", "mail"],
    ["backup", "saved"],
    ["repair"],
    ["check"],
)
"""Commands that neither send nor accept mail, and that end with 0 on an empty ledger."""
UPSTREAM = 'admins = ["ops@acme.test"]\n[upstream]\nhost = "mail.acme.test"\nusername = "relay"\n'
OTHER_USER = 65534
"""`nobody`: no file of a test belongs to it."""
RUN = "import sys; from relay.cli import main; main(sys.argv[1:])"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ledger."""
    (tmp_path / "mail").write_text("Subject: broken\n\nnothing works\n")
    Ledger.open(f"sqlite:///{tmp_path}/data/ledger.db").close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, tables: str) -> Path:
    config = folder / "relay.toml"
    config.write_text(f'{tables}[storage]\ndata_dir = "{folder}/data"\n')
    return config


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_command_works_where_the_credential_of_the_unit_is_missing(folder, command):
    """The unit passes the password in a variable that names a credential; a terminal has neither."""
    result = CliRunner().invoke(main, [*command, "--config", str(write(folder, UPSTREAM))])

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_command_works_where_another_user_owns_the_secrets(folder, command):
    done = run_as_other_user(folder, *command)

    assert done.returncode == 0, done.stderr


def test_commands_about_one_error_need_no_secret(folder):
    """Exit code 1: there is no error 7 and no relay. 2 would be the configuration."""
    config = write(folder, UPSTREAM)

    for command in (["show", "7"], ["mute", "7", "--for", "2h"], ["unmute", "7"], ["health"]):
        ports = "[smtp]\nlisten = '127.0.0.1:1'\n[http]\nlisten = '127.0.0.1:2'\n"
        config.write_text(f'{UPSTREAM}{ports}[storage]\ndata_dir = "{folder}/data"\n')
        assert CliRunner().invoke(main, [*command, "--config", str(config)]).exit_code == 1, command


def test_check_says_which_secret_it_cannot_read_and_who_can(folder):
    shown = run_as_other_user(folder, "check").stderr.splitlines()

    assert [line.split(": ")[2] for line in shown] == [
        "[upstream] password_file",
        "[smtp] password_file",
        "[http] password_file",
    ]
    assert all("cannot be read by user" in line and "its systemd unit can pass it" in line for line in shown)
    assert not any("hush" in line for line in shown)


def test_check_says_that_the_credential_is_missing_here(folder):
    result = CliRunner().invoke(main, ["check", "--config", str(write(folder, UPSTREAM))])

    assert "not checked here: " in result.stderr
    assert "password (or password_file) is missing" in result.stderr


@pytest.mark.parametrize("command", ["serve", "receive", "work", "send-test"])
def test_command_that_sends_or_accepts_mail_names_the_secret_it_cannot_read(folder, command):
    done = run_as_other_user(folder, command)

    assert done.returncode == 2
    assert "password_file" in done.stderr
    assert "cannot be read by user" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "work", "send-test"])
def test_command_that_sends_fails_at_once_without_the_password(folder, command):
    done = run_python(RUN, command, "--config", str(write(folder, UPSTREAM)), folder=folder)

    assert done.returncode == 2
    assert "relay.toml:4: [upstream] username: password (or password_file) is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_send_test_needs_only_the_password_of_the_upstream(folder):
    sink = Sink().start()
    try:
        config = write(
            folder,
            'admins = ["ops@acme.test"]\nsender = "relay@acme.test"\n'
            f'[upstream]\nhost = "127.0.0.1"\nport = {sink.port}\nsecurity = "none"\n[smtp]\nusername = "app"\n',
        )
        result = CliRunner().invoke(main, ["send-test", "--config", str(config)])
    finally:
        sink.stop()

    assert result.exit_code == 0, result.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program in a folder of another user")
def test_configuration_in_the_current_folder_of_another_user_is_skipped(folder):
    """`sudo -u error-mail-relay relay status` starts in the administrator's own folder."""
    private = folder / "private"
    private.mkdir(mode=0o700)
    os.chown(private, OTHER_USER, OTHER_USER)
    done = run_python("from relay.config import load; print(load(None, {}).file)", folder=folder, cwd=private)

    assert done.stderr == ""
    assert done.stdout.strip() in {"None", "/etc/error-mail-relay/relay.toml"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_named_configuration_in_a_folder_of_another_user_cannot_be_read(folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    (private / "relay.toml").write_text("")
    os.chown(private, OTHER_USER, OTHER_USER)
    done = run_python(RUN, "check", "--config", str(private / "relay.toml"), folder=folder)

    assert (done.returncode, done.stderr) == (2, f"{private}/relay.toml: cannot be read: Permission denied\n")


def run_as_other_user(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user that owns the state but cannot read the secrets."""
    for name in ("upstream", "smtp", "http"):
        give_away(folder / f"{name}-password", "hush")
    tables = UPSTREAM + f'password_file = "{folder}/upstream-password"\n'
    tables += f'[smtp]\nusername = "app"\npassword_file = "{folder}/smtp-password"\n'
    config = write(folder, f'{tables}[http]\npassword_file = "{folder}/http-password"\n')
    return run_python(RUN, *command, "--config", str(config), folder=folder)


def give_away(file: Path, text: str) -> None:
    """Write a file that `run_python` may not read."""
    file.write_text(text)
    file.chmod(0o600 if os.geteuid() == 0 else 0)
    if os.geteuid() == 0:
        os.chown(file, OTHER_USER, OTHER_USER)


def run_python(code: str, *arguments: str, folder: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python code without root's right to read the files of other users."""
    limit = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("setpriv is not installed")
        limit = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [*limit, sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=cwd or folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
