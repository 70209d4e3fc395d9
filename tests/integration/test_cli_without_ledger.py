"""Commands where no relay has run: they say so, and create nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.ledger import Ledger, sqlite_url
from relay.ledger.schema import REVISION
from tests.support.paths import DATA

NEEDS_A_LEDGER = (
    ["status"],
    ["status", "--json"],
    ["groups"],
    ["show", "1"],
    ["plan"],
    ["mute", "1", "--for", "2h"],
    ["unmute", "1"],
    ["outbox", "list"],
    ["outbox", "retry", "--all"],
    ["outbox", "retry", "abc"],
    ["outbox", "drop", "abc"],
    ["explain", "1"],
    ["regroup", "--dry-run"],
    ["repair"],
)


def run(folder: Path, *command: str) -> Result:
    config = folder / "relay.toml"
    config.write_text(f'[storage]\ndata_dir = "{folder}/data"\n')
    return CliRunner().invoke(main, [*command, "--config", str(config)])


@pytest.mark.parametrize("command", NEEDS_A_LEDGER, ids=" ".join)
def test_command_says_that_there_is_no_ledger_and_creates_none(tmp_path, command):
    result = run(tmp_path, *command)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"no relay has run with the data directory {tmp_path}/data; check [storage] data_dir" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["relay.toml"]


@pytest.mark.parametrize("command", [["render"], ["check"], ["backup", "saved"]], ids=" ".join)
def test_command_that_can_do_without_a_ledger_creates_none_either(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path, *command)

    assert isinstance(result.exception, SystemExit | None), result.exception
    assert [path.name for path in tmp_path.iterdir()] == ["relay.toml"]


def test_render_shows_an_example_and_says_why(tmp_path):
    result = run(tmp_path, "render")

    assert result.exit_code == 0
    assert f"No relay has run with {tmp_path}/data; this is an example digest." in result.stderr
    assert json.loads(run(tmp_path, "render", "--json").stdout)[0]["example"] is True


def test_command_does_not_migrate_the_ledger_of_a_relay_that_still_runs_the_earlier_release(tmp_path):
    """A migrated ledger would stop that relay."""
    [*_, earlier, newest] = sorted((DATA / "ledgers").glob("*.db.gz"))
    assert newest.name.startswith(REVISION)
    file = tmp_path / "data" / "ledger.db"
    file.parent.mkdir()
    file.write_bytes(gzip.decompress(earlier.read_bytes()))
    result = run(tmp_path, "status")

    assert result.exit_code == 1
    assert "the ledger is of an earlier release; the relay migrates it when it starts" in result.stderr
    Ledger.open(sqlite_url(file)).close()
    assert run(tmp_path, "status").exit_code == 0
