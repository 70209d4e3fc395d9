"""An upstream that fails, with the real relay: what the administrator reads, and what arrives afterwards."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial

import pytest

from relay.model import Cause, Failure
from relay.outbox.advice import ADVICE, REPLY_ADVICE
from tests.support.processes import WAIT_LIMIT, Relay, wait_for
from tests.support.received_digests import reported_counts
from tests.support.relay_with_upstream import PASSWORD
from tests.support.upstream import Action, Upstream, drop, hang, trickle

pytestmark = pytest.mark.e2e

FAULTS: dict[str, tuple[str, Action, Failure, str]] = {
    "alpha": ("GREETING", hang, Failure.UNREACHABLE, "no reply at the greeting within 1 s"),
    "bravo": ("RCPT", "451 4.7.1 greylisted", Failure.REFUSED, "451 4.7.1 greylisted (at RCPT)"),
    "charlie": ("EHLO", trickle(b"250 " + b"x" * 500, 0.05), Failure.UNREACHABLE, "no reply at EHLO within 1 s"),
    "delta": ("ACCEPTED", drop, Failure.UNREACHABLE, "the connection broke before the reply (at the end of DATA)"),
    "echo": ("AUTH", f"535 5.7.8 {PASSWORD} is wrong", Failure.AUTH, "credentials (LOGIN): 535 5.7.8 *** is wrong"),
}
"""By name: place, action, failure, text. The relay retries the last one after an hour, or when it is asked to."""

ADVICE_SHOWN = ADVICE | {
    Failure.AUTH: f"{REPLY_ADVICE[Cause.CREDENTIALS]} (the relay retries once an hour, and after a successful "
    "`relay send-test`)"
}
"""By failure. The reply of "echo" names the cause, so its advice is about the credentials alone."""


def page(relay: Relay, path: str) -> str:
    """Return an HTTP page of the relay, whether its status is 200 or 503."""
    try:
        response = urllib.request.urlopen(f"http://127.0.0.1:{relay.http_port}{path}", timeout=WAIT_LIMIT)
    except urllib.error.HTTPError as unready:
        response = unready
    with response:
        return response.read().decode()


def readyz(relay: Relay) -> str:
    """Return what `/readyz` says about the upstream, "" until the worker runs."""
    return str(json.loads(page(relay, "/readyz")).get("upstream", ""))


def logged(relay: Relay, text: str) -> bool:
    return text in relay.log_file.read_text()


def shown(relay: Relay, text: str) -> bool:
    return text in readyz(relay)


def send(relay: Relay, name: str) -> None:
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30) as client:
        client.sendmail("app@example.com", ["a@example.com"], f"Subject: App Failed\r\n\r\n{name} is broken\r\n")


def test_each_fault_is_reported_and_no_mail_is_lost(make_relay: Callable[..., Relay], upstream: Upstream) -> None:
    """One fault after another on one relay; each error mail arrives during another fault."""
    relay = make_relay()
    relay.config.write_text(relay.config.read_text().replace('timeout = "5s"', 'timeout = "1s"'))
    with relay:
        for name, (place, action, failure, text) in FAULTS.items():
            upstream.reset()
            upstream.say(place, action)
            send(relay, name)
            wait_for(partial(logged, relay, text), text)
            wait_for(partial(shown, relay, text), text)
            assert readyz(relay).startswith(failure)
            assert f"{ADVICE_SHOWN[failure]}; next try " in readyz(relay)
        status = relay.run("status").stdout  # for the last fault only: a command takes a second to start
        assert text in status
        connections = upstream.connections
        upstream.reset()
    with relay:
        wait_for(lambda: '{place="reported"} 5.0' in page(relay, "/metrics"), "everything to be reported")
        assert "no failure known, accepted the last mail" in readyz(relay)

    assert connections < 200, "at most one a second, the retry pause of this test"
    counts = reported_counts(upstream.mails)
    assert {name: sum(n for title, n in counts.items() if name in title) for name in FAULTS} == dict.fromkeys(FAULTS, 1)
    log = relay.log_file.read_text()
    assert PASSWORD not in log
    assert [text for _, _, _, text in FAULTS.values() if text not in log] == []
