"""The failing dependencies of the demo's shop: a database, two files and two HTTP services.

They are real, so the shop fails with the errors of production: another connection locks the database, one disk is full,
the other one is broken, one service is overloaded, and the other one cannot be reached.
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
"""Linux: every write fails with ENOSPC."""
BROKEN_DISK = Path("/proc/self/mem")
"""Linux: a read from its start, where no memory is mapped, fails with EIO; for root too, and in containers."""


@contextlib.contextmanager
def failing_dependencies() -> Iterator[dict[str, object]]:
    """Yield the configuration of the shop; the dependencies in it fail until the context ends."""
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
    """Yield an SQLite database that another connection has locked by a transaction."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE orders (id INTEGER, customer TEXT, amount TEXT)")
        other.execute("BEGIN EXCLUSIVE")
        yield file
        other.execute("ROLLBACK")


@contextlib.contextmanager
def overloaded_service() -> Iterator[str]:
    """Yield the URL of a service that answers 503, and does not answer every third request."""
    numbers = itertools.count(1)
    over = threading.Event()

    class Overloaded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if next(numbers) % 3 == 0:
                over.wait(60)
            else:
                self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Print nothing: the log of the 503s would fill the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Overloaded) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


@contextlib.contextmanager
def unreachable_service() -> Iterator[str]:
    """Yield the URL of a port where nothing listens. The port stays bound, so that no other program can use it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def full_disk_is_there() -> bool:
    """Return True if this system can simulate a full disk."""
    return _fails_with(errno.ENOSPC, FULL_DISK, os.O_WRONLY)


def broken_disk_is_there() -> bool:
    """Return True if this system can simulate a broken disk."""
    return _fails_with(errno.EIO, BROKEN_DISK, os.O_RDONLY)


def _fails_with(expected: int, file: Path, mode: int) -> bool:
    try:
        descriptor = os.open(file, mode)
    except OSError:
        return False
    try:
        _ = os.read(descriptor, 1) if mode == os.O_RDONLY else os.write(descriptor, b"x")
    except OSError as error:
        return error.errno == expected
    finally:
        os.close(descriptor)
    return False
