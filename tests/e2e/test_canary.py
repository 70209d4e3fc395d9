"""`relay canary` tests the whole way, from the relay's port to the upstream."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable

import pytest

from tests.support.processes import Relay, wait_for
from tests.support.received_digests import text_of
from tests.support.relay_with_upstream import ADMINS
from tests.support.upstream import Upstream

pytestmark = pytest.mark.e2e

SLOW = {"first_wait": "1h", "interval": "1h"}


def canary(relay: Relay, *options: str) -> tuple[int, dict]:
    done = relay.run("canary", "--json", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_canary_is_delivered_within_seconds_whatever_the_timing_and_each_time(
    make_relay: Callable[..., Relay], upstream: Upstream
) -> None:
    with make_relay(timing=SLOW) as relay:
        answers = [canary(relay) for _ in range(2)]

    assert [(code, answer["ok"]) for code, answer in answers] == [(0, True)] * 2
    assert f"{upstream.host}:{upstream.port} accepted it for {', '.join(ADMINS)}" in answers[0][1]["detail"]
    assert len(upstream.mails) == 2
    assert all("Nothing needs to be done" in text_of(mail) for mail in upstream.mails)


def test_digest_of_a_canary_contains_no_other_error(make_relay: Callable[..., Relay], upstream: Upstream) -> None:
    with make_relay(timing={"first_wait": "2s", "interval": "1s"}) as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port) as client:
            client.sendmail("app@acme.test", ["ops@acme.test"], "Subject: failed\r\n\r\nthe shop is on fire\r\n")
        assert canary(relay)[0] == 0
        wait_for(lambda: len(upstream.mails) == 2, "the digest of the error")

    texts = [text_of(mail) for mail in upstream.mails]
    assert ["Nothing needs to be done" in text for text in texts] == ["on fire" not in text for text in texts]


def test_canary_says_that_the_upstream_did_not_accept_its_digest(
    make_relay: Callable[..., Relay], upstream: Upstream
) -> None:
    upstream.say("MAIL", "451 4.7.1 greylisted")
    with make_relay() as relay:
        code, answer = canary(relay, "--timeout", "4")

    assert (code, answer["ok"]) == (1, False)
    assert answer["seconds"] >= 4


def test_canary_without_a_relay_says_so(make_relay: Callable[..., Relay]) -> None:
    relay = make_relay()
    code, answer = canary(relay, "--to", "127.0.0.1:1", "--timeout", "2")

    assert (code, answer["ok"]) == (1, False)
    assert "the relay on 127.0.0.1:1 did not accept it" in answer["detail"]


def test_canary_to_no_address_is_wrong_usage(make_relay: Callable[..., Relay]) -> None:
    assert make_relay().run("canary", "--to", "nowhere").returncode == 2
