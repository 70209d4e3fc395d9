"""`make demo`: a relay with its defaults, an app that fails in seven ways, and the digest that arrives.

Everything is real: the relay in its own processes on free ports, with its state in a temporary folder; the app with the
standard library's handler; the local mailbox as the inbox.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from relay.clock import utc_now
from relay.compose.message import html_part, text_part
from relay.config import make_settings
from relay.data_dir import DataDir
from relay.deliver import Mailbox
from relay.errors import RelayError
from relay.ledger import Ledger
from relay.model import Books

T = TypeVar("T")

COUNT = 300
TIMEOUT = 90.0
"""Seconds to wait for each step; the longest one takes about ten."""
MAX_LINES = 70
"""Lines of the digest that are printed."""


class DemoFailed(RelayError):
    """A step of the demo failed or took too long."""


def main() -> int:
    """Run the demo; return 0 if every mail was accepted and counted, a digest arrived, and the books balance."""
    with tempfile.TemporaryDirectory(prefix="error-mail-relay-demo-") as folder:
        data = Path(folder) / "data"
        try:
            with _relay(data, Path(folder) / "relay.log") as port:
                sent = _failing_app(port)
                books, mail = _wait_for_digest(data, sent)
        except DemoFailed as failure:
            say(f"\nThe demo failed: {failure}")
            return 1
    _show(mail, books, sent)
    return 0


def say(text: str) -> None:
    """Print without buffering, also when the output is no terminal."""
    print(text, flush=True)  # noqa: T201 -- the demo is a program for people


@contextmanager
def _relay(data: Path, log: Path) -> Iterator[int]:
    """Run a relay with its defaults on free ports; yield its SMTP port."""
    data.mkdir()
    (data / "relay.toml").touch()  # an empty file, so that no configuration of this machine is used
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "LISTEN_"))}
    environ |= {
        "RELAY_CONFIG": str(data / "relay.toml"),
        "RELAY_STORAGE__DATA_DIR": str(data),
        "RELAY_SMTP__LISTEN": "127.0.0.1:0",
        "RELAY_HTTP__LISTEN": "127.0.0.1:0",
        "RELAY_LOG__FORMAT": "json",
    }
    with (
        log.open("wb") as out,
        subprocess.Popen([sys.executable, "-m", "relay", "serve"], env=environ, stderr=out) as relay,
    ):
        try:
            address = _wait_for(lambda: _listening(log, relay), "the relay to start")
            say(f"A relay accepts mail on {address}; its digests go to a local mailbox.")
            yield int(address.rpartition(":")[2])
        finally:
            relay.terminate()


def _listening(log: Path, relay: subprocess.Popen[bytes]) -> str:
    """Return the SMTP address from the relay's log; "" if it does not listen yet. Raises DemoFailed if it ended."""
    for line in log.read_text("utf-8").splitlines():
        if line.startswith("{") and (entry := json.loads(line)).get("event") == "listening":
            return str(entry["smtp"])
    if relay.poll() is not None:
        raise DemoFailed(f"the relay ended:\n{log.read_text('utf-8')}")
    return ""


def _failing_app(port: int) -> int:
    """Run the demo app, which fails COUNT times; return the number of mails the relay accepted. Raises DemoFailed."""
    command = [sys.executable, "-m", "app_client.demo", "--port", str(port), "--count", str(COUNT)]
    say("An app with the documented recipe (the standard library's SMTPHandler) fails in seven ways:")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as app:
        *_, last = app.stdout or [""]
    if app.returncode:
        raise DemoFailed("the relay did not accept every mail")
    result = json.loads(last)
    for kind, count in result["by_kind"].items():
        say(f"  {count:>4} × {kind}")
    return int(result["sent"])


def _wait_for_digest(data: Path, sent: int) -> tuple[Books, bytes]:
    """Wait until every mail is counted and a digest has arrived; return the books and the first digest."""
    say(f"{sent} mails were accepted. The first digest comes ten seconds after the first error …")
    mailbox = Mailbox(DataDir(data).mailbox)
    first = _wait_for(lambda: next(iter(mailbox.mails()), None), "the digest")
    ledger = Ledger.open(make_settings(data).storage.ledger_url)
    try:
        return _wait_for(lambda: _complete(ledger, sent), "every mail to be counted"), first.read_bytes()
    finally:
        ledger.close()


def _complete(ledger: Ledger, sent: int) -> Books | None:
    """Return the books once they hold every mail and no message is open in the outbox; None before."""
    books = ledger.books(utc_now())
    done = books.received == sent and books.reported > 0 and ledger.tally().messages_open == 0
    return books if done else None


def _wait_for(condition: Callable[[], T | None], what: str) -> T:
    """Return the first true result of `condition`. Raises DemoFailed after TIMEOUT seconds."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise DemoFailed(f"waited {TIMEOUT:g} seconds for {what}")


def _show(mail: bytes, books: Books, sent: int) -> None:
    lines = text_part(mail).splitlines()
    say("\n" + "─" * 78)
    say("\n".join(lines[:MAX_LINES]))
    if len(lines) > MAX_LINES:
        say(f"[… {len(lines) - MAX_LINES} more lines …]")
    say("─" * 78)
    with tempfile.NamedTemporaryFile("w", prefix="digest-", suffix=".html", delete=False, encoding="utf-8") as page:
        page.write(html_part(mail))
    say(f"\n{sent} mails sent, {books.received} received = {books.reported} reported + {books.pending} pending.")
    say("The books balance." if books.balanced else "THE BOOKS DO NOT BALANCE.")
    say(f"The same digest as HTML: {page.name}")
    if not books.balanced or books.received != sent:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
