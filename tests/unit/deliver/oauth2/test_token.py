"""An access token: when it is used, when it is refreshed, and which replies hold none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.deliver.oauth2.bearer import command_lines, initial_response, refusal_status, secret_part
from relay.deliver.oauth2.secrets import safe_text
from relay.deliver.oauth2.token import from_json, new_token, to_json, token_from_reply

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("jitter", [-5.0, -1.0, 0.0, 1.0, 5.0])
def test_refresh_comes_between_seven_and_nine_tenths_of_the_lifetime(jitter):
    token = new_token("t", lifetime=HOUR, now=NOW, jitter=jitter)

    assert 0.7 * HOUR - timedelta(seconds=1) <= token.refresh_at - NOW <= 0.9 * HOUR + timedelta(seconds=1)


def test_token_is_used_until_shortly_before_it_expires():
    token = new_token("t", lifetime=HOUR, now=NOW, jitter=0)

    assert token.usable(NOW + HOUR - timedelta(seconds=31))
    assert not token.usable(NOW + HOUR - timedelta(seconds=30))
    assert not token.usable(NOW - timedelta(minutes=1)), "the clock was set back"
    assert not token.fresh(token.refresh_at)


def test_failed_refresh_is_tried_again_after_a_minute():
    token = new_token("t", lifetime=HOUR, now=NOW, jitter=0)
    later = token.postponed(token.refresh_at)

    assert later.fresh(token.refresh_at + timedelta(seconds=59))
    assert not later.fresh(token.refresh_at + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("reply", "lifetime"),
    [
        ({"access_token": "t", "expires_in": 3599}, timedelta(seconds=3599)),
        ({"access_token": "t", "expires_in": "3599"}, timedelta(seconds=3599)),
        ({"access_token": "t"}, timedelta(minutes=5)),
        ({"access_token": "t", "expires_in": "soon"}, timedelta(minutes=5)),
        ({"access_token": "t", "expires_in": 1e300}, timedelta(minutes=5)),
        ({"access_token": "t", "expires_in": 10**7}, timedelta(days=1)),
        ({"accessToken": "t", "expires_on": NOW.timestamp() + 60}, timedelta(seconds=60)),
    ],
)
def test_lifetime_is_read_from_the_reply_and_bounded(reply, lifetime):
    assert token_from_reply(reply, now=NOW, jitter=0).expires_at == NOW + lifetime


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"access_token": 5},
        {"access_token": "two words"},
        {"access_token": "x\r\nMAIL FROM:<a@b>"},
        {"access_token": "ü"},
        {"access_token": "x" * 20_000},
        {"access_token": "x", "token_type": "mac"},
        {"access_token": "x", "token_type": 5},
        {"access_token": "x", "expires_in": 0},
    ],
)
def test_reply_without_a_usable_token_is_refused(reply):
    with pytest.raises(ValueError, match="token"):
        token_from_reply(reply, now=NOW, jitter=0)


def test_stored_token_is_read_again():
    token = new_token("t", lifetime=HOUR, now=NOW, jitter=0.5)

    assert from_json(to_json(token)) == token
    assert "access" not in repr(token)


@given(st.text() | st.just("[" * 100_000) | st.just('{"access_token": "x", "obtained_at": "2026-12-01"}'))
def test_damaged_file_is_no_token(text):
    assert from_json(text) is None


@given(st.text())
def test_any_challenge_is_read_without_an_error(text):
    refusal_status(text)


def test_long_response_is_sent_in_a_line_of_its_own():
    response = initial_response("xoauth2", user="a@acme.test", token="t" * 10_000, host="x", port=587)

    assert command_lines("xoauth2", response) == [b"AUTH XOAUTH2", response.encode()]
    assert len(command_lines("xoauth2", response[:100])) == 1


def test_only_the_end_of_the_response_is_secret():
    response = initial_response("oauthbearer", user="a@acme.test", token="secret", host="x", port=587)

    assert response.endswith(secret_part(response, "secret"))
    assert len(secret_part(response, "secret")) < len(response) / 2


def test_text_about_tokens_is_shown_without_them():
    signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"

    assert safe_text(f"bad {signed} for s3cr", ["s3cr"]) == "bad *** for ***"
    assert safe_text("refresh_token=abc&code: xyz") == "refresh_token=***&code: ***"
    assert safe_text("one\ntwo\x1b[31m") == "one two [31m"
