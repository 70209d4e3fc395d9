"""Access tokens over three lifetimes, with two workers: the short version of `python -m tests.endurance.oauth2`."""

from __future__ import annotations

import base64

import pytest

from tests.endurance import oauth2
from tests.support.authorization_server import SECRET

MESSAGES = 300


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> oauth2.Result:
    return oauth2.run(tmp_path_factory.mktemp("oauth2"), MESSAGES)


def test_every_message_is_delivered_despite_revocation_and_outages(result):
    assert (result.delivered, result.missing) == (MESSAGES, 0)
    assert result.revocations == len(oauth2.REVOKED_AT)
    assert result.failures_seen > 0


def test_token_is_refreshed_at_most_once_per_lifetime_by_two_workers(result):
    assert result.gaps_too_short == []
    assert result.grants <= 1 + oauth2.LIFETIMES + result.revocations


def test_no_secret_is_in_any_file_log_page_or_error(result):
    assert result.leaks == []


def test_secret_that_leaks_is_found(tmp_path):
    (tmp_path / "log").write_text(f"x {SECRET} y")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "open").write_text(f"x {SECRET} y")
    encoded = base64.b64encode(f"user=a\x01auth=Bearer {SECRET}\x01\x01".encode()).decode()

    assert set(oauth2._files(tmp_path)) == {"log", "tokens/open"}
    assert oauth2._contains(f"AUTH XOAUTH2 {encoded}", [SECRET])
    assert not oauth2._contains("AUTH XOAUTH2 ***", [SECRET])
