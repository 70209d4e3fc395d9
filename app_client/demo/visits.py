"""The requests of the demo: make the shop fail, one request at a time, and count the mails that the relay accepted."""

import contextlib
import http.client
import random
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from logging import Handler, LogRecord
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from app_client.demo.dependencies import broken_disk_is_there, full_disk_is_there

KINDS = (
    "client gone", "database overloaded", "file system full", "disk broken",
    "backend overloaded", "bug in a library", "network down",
)  # fmt: skip
"""The seven reasons of Flask's guide why an app fails although its code has not changed."""

CUSTOMERS = ("anna", "ben", "chiara", "deniz", "emre", "frida")
CURRENCIES = ("CHF", "GBP", "SEK", "USD")
_TIMEOUT = 10.0  # seconds for one request
_MAX_FAILURES = 5  # consecutive mails that the relay may fail to accept


class RelayUnavailable(Exception):
    """The relay accepts no more mails; the text says why."""

    def __init__(self, reason: str, accepted: Counter[str]) -> None:
        super().__init__(reason)
        self.accepted = accepted
        """Mails that the relay accepted before, by kind."""


class Server(ThreadingMixIn, WSGIServer):
    """A real server, so that clients can really disconnect."""

    daemon_threads = True


class QuietRequest(WSGIRequestHandler):
    """Writes no access log."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def served(app: Callable[..., Any], host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, int]]:
    """Serve a WSGI app while the context lasts; yields its host and port."""
    with Server((host, port), QuietRequest) as server:
        server.set_app(app)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[:2]  # type: ignore[misc]  # an IPv4 address: a pair
        server.shutdown()


class Tally:
    """Counts the mails of a handler that the relay accepted, and those that failed.

    It patches this one handler, because the standard handler reports a failure only to its own `handleError`.
    """

    def __init__(self, handler: Handler) -> None:
        self.accepted = 0
        self.failed = 0
        self.last_failure = ""
        """Why the last failed mail was not accepted."""
        self._emit = handler.emit
        self._done = threading.Condition()
        handler.emit = self._watch  # type: ignore[method-assign]  # on this instance only
        handler.handleError = self._note  # type: ignore[method-assign]

    def wait_for_next(self, before: int) -> bool:
        """Wait until more than `before` records were handled; False on timeout."""
        with self._done:
            return self._done.wait_for(lambda: self.accepted + self.failed > before, _TIMEOUT)

    def _watch(self, record: LogRecord) -> None:
        failed_before = self.failed
        self._emit(record)
        with self._done:
            self.accepted += self.failed == failed_before
            self._done.notify_all()

    def _note(self, record: LogRecord) -> None:
        error = sys.exc_info()[1]
        self.failed += 1
        self.last_failure = f"{type(error).__name__}: {error}"


class Visitors:
    """Sends requests with random orders, amounts and names."""

    def __init__(self, address: tuple[str, int], rng: random.Random) -> None:
        self._address = address
        self._rng = rng

    def visit(self, kind: str) -> None:
        """Send one request that makes the shop fail in this way."""
        order, customer = self._rng.randint(1000, 9999), self._rng.choice(CUSTOMERS)
        amount = f"{self._rng.randint(1, 500)}.{self._rng.randint(0, 99):02}"
        currency = self._rng.choice(CURRENCIES)
        match kind:
            case "client gone":
                self._hang_up_early(f"/photos/{order}")
            case "database overloaded":
                self._ask("POST", f"/orders/{order}?customer={customer}&amount={amount}")
            case "file system full":
                self._ask("POST", f"/receipts/{order}?customer={customer}&amount={amount}")
            case "disk broken":
                self._ask("GET", f"/photos/{order}")
            case "backend overloaded":
                self._ask("GET", f"/rates/{currency}?amount={amount}")
            case "bug in a library":
                self._ask("GET", f"/orders?customer={customer}&columns=0")
            case "network down":
                self._ask("POST", f"/parcels/{order}?customer={customer}")

    def _ask(self, method: str, path: str) -> None:
        with contextlib.closing(http.client.HTTPConnection(*self._address, timeout=_TIMEOUT)) as connection:
            connection.request(method, path)
            connection.getresponse().read()

    def _hang_up_early(self, path: str) -> None:
        """Announce 100,000 bytes and disconnect after a few, as a browser does when its tab is closed."""
        with socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
            connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n".encode())
            connection.sendall(b"the first bytes of a photo")


def available_kinds() -> list[str]:
    """Return the kinds that this system can show; two of the seven need Linux."""
    missing = {"file system full": full_disk_is_there, "disk broken": broken_disk_is_there}
    return [kind for kind in KINDS if kind not in missing or missing[kind]()]


def drive(visitors: Visitors, tally: Tally, kinds: list[str], progress: Callable[[int], None]) -> Counter[str]:
    """Send one request for each of `kinds`, in order; returns how many mails of each kind the relay accepted.

    Raises RelayUnavailable if no mail comes in time, or after `_MAX_FAILURES` consecutive failures.
    """
    accepted: Counter[str] = Counter()
    failures = 0
    for number, kind in enumerate(kinds, start=1):
        before = tally.accepted
        visitors.visit(kind)
        if not tally.wait_for_next(number - 1):
            raise RelayUnavailable(f"no mail within {_TIMEOUT:.0f} s ({kind})", accepted)
        failures = 0 if tally.accepted > before else failures + 1
        if failures >= _MAX_FAILURES:
            raise RelayUnavailable(tally.last_failure, accepted)
        accepted[kind] += tally.accepted - before
        progress(number)
    return accepted
