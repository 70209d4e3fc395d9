"""What the commands print, alike in all of them: help, tables, JSON, plurals, progress, completion."""

from __future__ import annotations

import io
import json
import mailbox
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.cli.command_group import CommandGroup
from relay.cli.progress import Progress
from relay.clock import utc_now
from relay.ledger import Ledger
from tests.support.ingest_bench import IngestBench, mail
from tests.support.paths import ROOT


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "relay.toml"
    file.write_text(f'[storage]\ndata_dir = "{tmp_path}/data"\n[smtp]\nlisten = "127.0.0.1:9"\n')
    return file


def run(config: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments, "--config", str(config)])
    assert result.exit_code == code, result.output
    return result


def ingest(tmp_path: Path, *texts: str) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/data/ledger.db")
    bench = IngestBench(tmp_path / "data", ledger)
    bench.spool([mail(text) for text in texts], at=utc_now())
    bench.ingest_all(utc_now())
    ledger.close()


def mbox(tmp_path: Path, count: int) -> Path:
    box = mailbox.mbox(tmp_path / "old.mbox")
    for number in range(count):
        dated = mail("it broke", Date=f"Sun, 01 Mar 2026 12:{number % 60:02}:00 +0000")
        box.add(dated.replace(b"\r\n", b"\n"))
    box.close()
    return tmp_path / "old.mbox"


# --- Help -------------------------------------------------------------------------------------------------------------


def every_command(group: click.Group = main) -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        found[name] = command
    return found


@pytest.mark.parametrize("group", [[], ["outbox"]])
def test_help_shows_each_summary_in_full(group):
    shown = " ".join(CliRunner().invoke(main, [*group, "--help"]).output.split())
    listed = every_command()["outbox"] if group else main
    assert isinstance(listed, CommandGroup)

    assert "..." not in shown.removeprefix("Usage: relay [OPTIONS] COMMAND [ARGS]...").partition("Options:")[2]
    for name, command in every_command(listed).items():
        first = (command.help or "").partition("\n\n")[0].partition(".")[0]
        assert f"{name} {' '.join(first.split())}." in shown


def test_help_puts_every_command_under_a_heading_that_says_what_it_is_for():
    names = [name for section in main.sections.values() for name in section]

    assert sorted(names) == sorted(every_command())
    assert "Commands:" not in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["chekc"], "there is no command chekc; did you mean check?"),
        (["outbox", "lsit"], "there is no command lsit; did you mean list?"),
        (["frobnicate"], "there is no command frobnicate; `relay --help` lists them."),
        (["outbox", "frobnicate"], "`relay outbox --help` lists them."),
        (["groups", "--jsn"], "Did you mean '--json'?"),
    ],
)
def test_unknown_command_or_option_names_the_nearest_one(typed, hint):
    result = CliRunner().invoke(main, typed, prog_name="relay")

    assert result.exit_code == 2
    assert hint in result.output


# --- Tables and sentences ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["groups"], "No error has been received yet.\n"),
        (["groups", "--search", "nothing"], "No error matches.\n"),
        (["outbox", "list"], "No digest has been made yet.\n"),
    ],
)
def test_empty_table_is_a_sentence(config, tmp_path, command, sentence):
    ingest(tmp_path)  # without a mail: it only creates the ledger

    assert run(config, *command).output == sentence


def test_headings_are_words(config, tmp_path):
    ingest(tmp_path, "it broke")

    heading, row = run(config, "groups").output.splitlines()[:2]

    assert heading.split()[:4] == ["ID", "phase", "seen", "pending"]
    assert heading.index("ID") + len("ID") == row.index("1") + 1  # numbers are aligned to the right


PLURAL = re.compile(r"\{[^{}]*\} (?:bytes|digests|errors|mails|messages|regions|rows)\b")


def test_no_command_counts_one_mails():
    """A count with a noun goes through `humanize.counted`, which knows the singular."""
    found = {
        f"{path.name}: {line.strip()}"
        for folder in ("cli", "web", "outbox")
        for path in (ROOT / "relay" / folder).glob("*.py")
        for line in path.read_text().splitlines()
        if PLURAL.search(line) and "number(" not in line and "total:<" not in line
    }

    assert found == set()


def test_one_mail_is_one_mail(config, tmp_path):
    ingest(tmp_path, "it broke")

    assert "count         1 (in 1 mail)" in run(config, "show", "1").output
    assert (
        "1 mail would have become 1 digest; 0 mails would be pending at the end."
        in run(config, "replay", str(mbox(tmp_path, 1))).output
    )


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_check_as_json_has_the_settings_and_the_warnings(config):
    found = json.loads(run(config, "check", "--json").stdout)

    assert (found["valid"], found["problems"]) == (True, [])
    assert found["settings"]["smtp"] == "127.0.0.1:9"
    assert found["settings"]["file"] == str(config)


def test_check_as_json_has_the_problems(config):
    config.write_text("admins = 7\n")

    found = json.loads(run(config, "check", "--json", code=2).stdout)

    assert found["valid"] is False
    assert found["problems"] == [f'{config}:1: admins: must be a list, such as ["one", "two"]']


def test_health_as_json_judges_each_part(config):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        config.write_text(f'smtp.listen = "127.0.0.1:{nobody.getsockname()[1]}"\nhttp.listen = "127.0.0.1:1"\n')

        found = json.loads(run(config, "health", "--json", "--timeout", "0.2", code=1).stdout)

    assert found["ok"] is False
    assert [(check["name"], check["ok"]) for check in found["checks"]] == [("receiver", False), ("worker", False)]
    assert "no answer from 127.0.0.1:1" in found["checks"][1]["text"]


def test_render_as_json_says_whether_it_is_an_example(config, tmp_path):
    [example] = json.loads(run(config, "render", "--json").stdout)
    ingest(tmp_path, "order 7 is lost")
    [digest] = json.loads(run(config, "render", "--json").stdout)

    assert (example["example"], digest["example"]) == (True, False)
    assert "order 7 is lost" in digest["text"]
    assert digest["html"].lstrip().lower().startswith("<!doctype html>")
    assert digest["raw"].startswith(("Subject:", "From:", "MIME", "Date:", "Message-ID:", "To:"))


def test_send_test_as_json_has_the_failure_once(config):
    config.write_text(
        f'admins = ["a@example.org"]\n[upstream]\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\n{config.read_text()}'
    )

    found = json.loads(run(config, "send-test", "--json", code=1).stdout)
    printed = run(config, "send-test", code=1)

    assert (found["ok"], found["failure"], found["released"]) == (False, "unreachable", 0)
    assert printed.stderr.splitlines()[-1].count("127.0.0.1:1") == 1


# --- Files ------------------------------------------------------------------------------------------------------------


def test_backup_overwrites_a_file_only_with_the_option_for_it(config, tmp_path):
    ingest(tmp_path, "it broke")
    file = tmp_path / "backup"
    file.write_text("the last one")

    refused = run(config, "backup", str(file), code=2)
    assert f"{file} exists: name another file, or replace it with --force" in refused.output
    assert file.read_text() == "the last one"

    run(config, "backup", "--force", str(file))
    assert file.read_bytes() != b"the last one"


# --- Progress ---------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_one_line_that_is_removed():
    out = Terminal()
    progress = Progress(out)
    progress.show("reading old.mbox")
    for done in (500, 1000, 7700):
        progress.count(done, 7700)
    progress.end()

    assert "\rreplayed 500 of 7,700 mails" in out.getvalue()
    assert "\n" not in out.getvalue()
    assert out.getvalue().endswith(" \r")


def test_progress_in_a_log_is_a_line_for_each_tenth():
    out = io.StringIO()
    progress = Progress(out)
    for done in range(100, 2001, 100):
        progress.count(done, 2000)

    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("replayed 200 of 2,000 mails", "replayed 2,000 of 2,000 mails")


def test_replay_shows_its_progress_and_keeps_its_output_clean(config, tmp_path):
    result = run(config, "replay", "--json", str(mbox(tmp_path, 1000)))

    assert json.loads(result.stdout)["books"]["received"] == 1000
    assert "replayed 1,000 of 1,000 mails" in result.stderr


# --- Completion -------------------------------------------------------------------------------------------------------


def completed(*words: str) -> set[str]:
    """What the shell is offered for the last word."""
    environ = os.environ | {
        "_RELAY_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("relay", *words)),
        "COMP_CWORD": str(len(words)),
    }
    program = "from relay.cli import main; main(prog_name='relay')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_commands_subcommands_and_options_are_completed():
    assert completed("se") == {"send-test", "serve"}
    assert completed("outbox", "re") == {"retry"}
    assert "--json" in completed("groups", "--")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_each_shell_names_the_command(shell):
    script = CliRunner().invoke(main, ["completion", shell]).output

    assert "_RELAY_COMPLETE" in script
    assert f"{shell}_complete" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_accepts_its_script(tmp_path):
    script = tmp_path / "relay"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).output)

    done = subprocess.run(
        ["bash", "-c", f". {script}; complete -p relay"], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "relay" in done.stdout
