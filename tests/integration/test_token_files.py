"""The stored tokens: one refresh for all processes of a machine, whole files, and their owner."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay import config
from relay.deliver import TokenSource
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.files import TokenFiles
from relay.deliver.oauth2.token import new_token
from tests.support.authorization_server import MAILBOX, AuthorizationServer
from tests.support.processes import wait_for

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TOKEN = new_token("t", lifetime=timedelta(hours=1), now=NOW, jitter=0)
ASK = """
import asyncio, json, sys
from pathlib import Path
from relay.config import Upstream
from relay.deliver import TokenSource
source = TokenSource(Upstream.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2]))
print(asyncio.run(source.token()).access)
"""
HOLD = """
import asyncio, sys
from pathlib import Path
from relay.deliver.oauth2.files import TokenFiles
async def hold():
    async with TokenFiles(Path(sys.argv[1]), "account").locked(5):
        print("locked", flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


def table(authorization: AuthorizationServer, **more: Any) -> dict[str, Any]:
    return {"host": "x", "username": MAILBOX, "timeout": "20s", "oauth2": authorization.tables(), **more}


def test_processes_that_start_together_ask_for_one_token(tmp_path):
    with AuthorizationServer() as authorization:
        command = [sys.executable, "-c", ASK, json.dumps(table(authorization)), str(tmp_path / "oauth2")]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        printed = {each.communicate(timeout=60)[0].strip() for each in started}

        assert [each.returncode for each in started] == [0] * 4
        assert authorization.granted == ["client_credentials"]
        assert len(printed) == 1


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


async def locked(files: TokenFiles, seconds: float) -> bool:
    async with files.locked(seconds) as got:
        return got


def test_lock_of_a_killed_process_is_free(holder, tmp_path):
    files = TokenFiles(tmp_path, "account")
    assert asyncio.run(locked(files, 0)) is False

    holder.kill()

    assert wait_for(lambda: asyncio.run(locked(files, 0)), "the kernel to release the lock")


def test_process_that_hangs_with_the_lock_is_reported(tmp_path):
    with AuthorizationServer() as authorization:
        settings = config.Upstream.model_validate(table(authorization, timeout="1s"))
        source = TokenSource(settings, tmp_path)

        async def ask() -> None:
            async with source.files.locked(0), asyncio.timeout(10):
                await TokenSource(settings, tmp_path).token()

        with pytest.raises(TokenFailed, match="another process has been asking for a token for more than 1 s"):
            asyncio.run(ask())
        assert authorization.requests == []


def test_accounts_do_not_share_tokens(tmp_path):
    one, two = (TokenFiles(tmp_path, account) for account in ("one", "two"))
    one.store_token(TOKEN)
    one.store_refresh_token("r")

    assert (one.token(), one.refresh_token()) == (TOKEN, "r")
    assert (two.token(), two.refresh_token()) == (None, "")


def test_refresh_token_of_other_settings_does_not_count(tmp_path):
    files = TokenFiles(tmp_path, "account")
    files.store_refresh_token("rotated", replaces="first")

    assert files.refresh_token("first") == "rotated"
    assert files.refresh_token("second") == ""


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"refresh_token": 5}', b"[" * 70_000])
def test_damaged_files_count_as_missing(content, tmp_path):
    files = TokenFiles(tmp_path, "account")
    files.store_token(TOKEN)
    files.store_refresh_token("r")
    for file in tmp_path.iterdir():
        file.write_bytes(content)

    assert files.token() is None
    assert files.refresh_token() == ""


def test_folder_that_cannot_be_written_costs_only_the_sharing(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with AuthorizationServer() as authorization:
        source = TokenSource(config.Upstream.model_validate(table(authorization)), tmp_path / "file" / "oauth2")

        assert asyncio.run(source.token()) == asyncio.run(source.token())
        assert len(authorization.granted) == 1


def test_refresh_token_that_cannot_be_stored_stays_in_memory(tmp_path):
    """The disk is full, and the provider has made the old one invalid."""
    (tmp_path / "file").write_text("no folder")
    with AuthorizationServer(rotate=True) as authorization:
        oauth2 = authorization.tables(grant="refresh_token", refresh_token=authorization.new_refresh_token())
        settings = config.Upstream.model_validate(table(authorization, oauth2=oauth2))
        source = TokenSource(settings, tmp_path / "file" / "oauth2")

        for _ in range(3):
            asyncio.run(source.new_token())

        assert authorization.granted == ["refresh_token"] * 3


def test_missing_folders_are_created_for_their_owner_alone(tmp_path):
    TokenFiles(tmp_path / "data" / "oauth2", "account").store_refresh_token("r")

    folders = [tmp_path / "data", tmp_path / "data" / "oauth2"]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_that_root_creates_belong_to_the_owner_of_the_data_directory(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 4711, 4712)
    files = TokenFiles(data / "oauth2", "account")

    assert asyncio.run(locked(files, 0))
    files.store_refresh_token("r")
    files.store_token(TOKEN)

    made: list[Path] = [data / "oauth2", *(data / "oauth2").iterdir()]
    assert {(each.stat().st_uid, each.stat().st_gid) for each in made} == {(4711, 4712)}
