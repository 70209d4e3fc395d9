"""What the demo's shop depends on, in as bad a state as it gets, and for real.

All is as in a healthy world: a database file, a file to write, a file to read, two HTTP services. Only that the
database is locked by somebody else, the one disk full, the other one broken, a service overloaded and the network to
the other down. So the shop fails with the very errors that it would meet in production.
"""

import contextlib
import errno
import itertools
import os
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FULL_DISK = Path("/dev/full")
"""Linux: whatever is written there meets ENOSPC."""
BROKEN_DISK = Path("/proc/self/mem")
"""Linux: read from its start, where no memory is, it gives EIO; to root and others, in containers as well."""


@contextlib.contextmanager
def surroundings() -> Iterator[dict[str, object]]:
    """The shop's configuration; while the context lasts, everything that it names stays out of order."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-shop-"))
        yield {
            "DATABASE": stack.enter_context(locked_database(Path(folder, "shop.sqlite"))),
            "RECEIPTS": FULL_DISK,
            "PHOTOS": BROKEN_DISK,
            "RATES": stack.enter_context(overloaded_service()),
            "PARCEL_SERVICE": stack.enter_context(unreachable_service()),
        }


@contextlib.contextmanager
def locked_database(file: Path) -> Iterator[Path]:
    """An SQLite database in the midst of somebody else's transaction."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE orders (id INTEGER, customer TEXT, amount TEXT)")
        other.execute("BEGIN EXCLUSIVE")
        yield file
        other.execute("ROLLBACK")


@contextlib.contextmanager
def overloaded_service() -> Iterator[str]:
    """The URL of a service that answers 503, and every third time nothing at all."""
    numbers = itertools.count(1)
    over = threading.Event()

    class Overloaded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if next(numbers) % 3 == 0:
                over.wait(60)
            else:
                self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Keep quiet: a stream of 503s on the terminal helps nobody."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Overloaded) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


@contextlib.contextmanager
def unreachable_service() -> Iterator[str]:
    """The URL of a service whose port nobody answers; bound all the while, lest somebody else should."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def full_disk_is_there() -> bool:
    """True where this system has a way to make the disk look full."""
    return _fails_with(errno.ENOSPC, FULL_DISK, os.O_WRONLY)


def broken_disk_is_there() -> bool:
    """True where this system has a way to make the disk look broken."""
    return _fails_with(errno.EIO, BROKEN_DISK, os.O_RDONLY)


def _fails_with(expected: int, file: Path, mode: int) -> bool:
    try:
        descriptor = os.open(file, mode)
    except OSError:
        return False
    try:
        _ = os.read(descriptor, 1) if mode == os.O_RDONLY else os.write(descriptor, b"x")
    except OSError as trouble:
        return trouble.errno == expected
    finally:
        os.close(descriptor)
    return False
