"""An upstream that fails, with the relay as it is run: what its administrator sees, and what arrives in the end."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial

import pytest

from relay.model import Failure
from relay.outbox.advice import ADVICE
from tests.support.processes import WAIT_LIMIT, Relay, wait_for
from tests.support.received_digests import reported_counts
from tests.support.relay_with_upstream import PASSWORD
from tests.support.upstream import Action, Upstream, drop, hang, trickle

pytestmark = pytest.mark.e2e

FAULTS: dict[str, tuple[str, Action, Failure, str]] = {
    "alpha": ("GREETING", hang, Failure.UNREACHABLE, "no answer at the greeting within 1 s"),
    "bravo": ("RCPT", "451 4.7.1 greylisted", Failure.REFUSED, "451 4.7.1 greylisted (at RCPT)"),
    "charlie": ("EHLO", trickle(b"250 " + b"x" * 500, 0.05), Failure.UNREACHABLE, "no answer at EHLO within 1 s"),
    "delta": ("ACCEPTED", drop, Failure.UNREACHABLE, "the connection broke before its word (at the content)"),
    "echo": ("AUTH", f"535 5.7.8 {PASSWORD} is wrong", Failure.AUTH, "credentials (LOGIN): 535 5.7.8 *** is wrong"),
}
"""The last one is tried again after an hour, or a restart."""


def page(relay: Relay, path: str) -> str:
    """A page of it, whether it is 200 or 503."""
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{relay.http_port}{path}", timeout=WAIT_LIMIT)
    except urllib.error.HTTPError as unready:
        answer = unready
    with answer:
        return answer.read().decode()


def readyz(relay: Relay) -> str:
    """What `/readyz` says of the upstream, "" while the worker is not there yet."""
    return str(json.loads(page(relay, "/readyz")).get("upstream", ""))


def logged(relay: Relay, words: str) -> bool:
    return words in relay.log_file.read_text()


def shown(relay: Relay, words: str) -> bool:
    return words in readyz(relay)


def send(relay: Relay, name: str) -> None:
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30) as client:
        client.sendmail("app@example.com", ["a@example.com"], f"Subject: App Failed\r\n\r\n{name} is broken\r\n")


def test_each_fault_is_told_and_nothing_is_lost(make_relay: Callable[..., Relay], upstream: Upstream) -> None:
    """One after the other on one relay; each error comes in while the upstream fails in another way."""
    relay = make_relay()
    relay.config.write_text(relay.config.read_text().replace('timeout = "5s"', 'timeout = "1s"'))
    with relay:
        for name, (place, action, trouble, words) in FAULTS.items():
            upstream.reset()
            upstream.say(place, action)
            send(relay, name)
            wait_for(partial(logged, relay, words), words)
            wait_for(partial(shown, relay, words), words)
            assert readyz(relay).startswith(trouble)
            assert f"{ADVICE[trouble]}; next try " in readyz(relay)
        status = relay.run("status").stdout  # of the last one; a command takes a second to start
        assert words in status
        connections = upstream.connections
        upstream.reset()
    with relay:
        wait_for(lambda: '{place="reported"} 5.0' in page(relay, "/metrics"), "everything to be told")
        assert "no trouble known, took the last mail" in readyz(relay)

    assert connections < 200, "one a second at most, for that is what the test has set"
    counts = reported_counts(upstream.mails)
    assert {name: sum(n for title, n in counts.items() if name in title) for name in FAULTS} == dict.fromkeys(FAULTS, 1)
    log = relay.log_file.read_text()
    assert PASSWORD not in log
    assert [words for _, _, _, words in FAULTS.values() if words not in log] == []
