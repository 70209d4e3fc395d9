"""The demo's visitors: they make the shop fail, request by request, and count the error mails that the relay took."""

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

from app_client.demo.surroundings import broken_disk_is_there, full_disk_is_there

KINDS = (
    "client gone", "database overloaded", "file system full", "disk broken",
    "backend overloaded", "bug in a library", "network down",
)  # fmt: skip
"""The seven reasons why an app fails though nobody changed it, as the guide lists them."""

CUSTOMERS = ("anna", "ben", "chiara", "deniz", "emre", "frida")
CURRENCIES = ("CHF", "GBP", "SEK", "USD")
_PATIENCE = 10.0  # seconds for one visit
_HOPELESS = 5  # mails in a row that the relay did not take


class RelayGone(Exception):
    """It is no use going on; the text says why."""

    def __init__(self, reason: str, taken: Counter[str]) -> None:
        super().__init__(reason)
        self.taken = taken
        """Mails that the relay took until then, by kind."""


class Server(ThreadingMixIn, WSGIServer):
    """A real server, so that clients can really be gone."""

    daemon_threads = True


class QuietRequest(WSGIRequestHandler):
    """Writes no access log."""

    def log_message(self, *_: object) -> None:
        """Keep the terminal for what the demo has to say."""


@contextlib.contextmanager
def served(app: Callable[..., Any], host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, int]]:
    """Serve a WSGI app while the context lasts; yields the address it got."""
    with Server((host, port), QuietRequest) as server:
        server.set_app(app)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[:2]  # type: ignore[misc]  # an IPv4 address: a pair
        server.shutdown()


class Tally:
    """Watches a handler, without being one: for each record, has the relay taken the mail?

    The stock handler reports a failure only to its own `handleError`.
    """

    def __init__(self, handler: Handler) -> None:
        self.taken = 0
        self.failed = 0
        self.trouble = ""
        """Why the last mail was not taken."""
        self._emit = handler.emit
        self._done = threading.Condition()
        handler.emit = self._watch  # type: ignore[method-assign]  # this handler alone is watched
        handler.handleError = self._note  # type: ignore[method-assign]

    def wait_for_next(self, before: int) -> bool:
        """Wait until more than `before` records were dealt with; False if that does not happen in good time."""
        with self._done:
            return self._done.wait_for(lambda: self.taken + self.failed > before, _PATIENCE)

    def _watch(self, record: LogRecord) -> None:
        failed_before = self.failed
        self._emit(record)
        with self._done:
            self.taken += self.failed == failed_before
            self._done.notify_all()

    def _note(self, record: LogRecord) -> None:
        trouble = sys.exc_info()[1]
        self.failed += 1
        self.trouble = f"{type(trouble).__name__}: {trouble}"


class Visitors:
    """They come with ever different orders, amounts and names."""

    def __init__(self, address: tuple[str, int], chance: random.Random) -> None:
        self._address = address
        self._chance = chance

    def visit(self, kind: str) -> None:
        """Make one request of which the shop fails in this way."""
        order, customer = self._chance.randint(1000, 9999), self._chance.choice(CUSTOMERS)
        amount = f"{self._chance.randint(1, 500)}.{self._chance.randint(0, 99):02}"
        currency = self._chance.choice(CURRENCIES)
        match kind:
            case "client gone":
                self._leave_early(f"/photos/{order}")
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
        with contextlib.closing(http.client.HTTPConnection(*self._address, timeout=_PATIENCE)) as connection:
            connection.request(method, path)
            connection.getresponse().read()

    def _leave_early(self, path: str) -> None:
        """Announce 100,000 bytes and hang up after a few: the tab was closed, the train went into a tunnel."""
        with socket.create_connection(self._address, timeout=_PATIENCE) as connection:
            connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n".encode())
            connection.sendall(b"the first bytes of a photo")


def available_kinds() -> list[str]:
    """The kinds that this system can show; two of the seven need Linux."""
    missing = {"file system full": full_disk_is_there, "disk broken": broken_disk_is_there}
    return [kind for kind in KINDS if kind not in missing or missing[kind]()]


def drive(visitors: Visitors, tally: Tally, kinds: list[str], progress: Callable[[int], None]) -> Counter[str]:
    """Visit once for each of `kinds`, in order; returns how many mails of each kind the relay took.

    Raises RelayGone when it takes none any more.
    """
    taken: Counter[str] = Counter()
    in_vain = 0
    for number, kind in enumerate(kinds, start=1):
        before = tally.taken
        visitors.visit(kind)
        if not tally.wait_for_next(number - 1):
            raise RelayGone(f"no mail within {_PATIENCE:.0f} s ({kind})", taken)
        in_vain = 0 if tally.taken > before else in_vain + 1
        if in_vain >= _HOPELESS:
            raise RelayGone(tally.trouble, taken)
        taken[kind] += tally.taken - before
        progress(number)
    return taken
