"""Waitress on a listening socket that was handed down, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence

from flask import Flask
from waitress.server import create_server

THREADS = 4


class Server:
    """The HTTP server of one worker."""

    def __init__(self, app: Flask, sockets: Sequence[socket.socket]) -> None:
        """Serve `app` on `sockets`, which already listen."""
        self._server = create_server(
            app, sockets=list(sockets), threads=THREADS, ident=None, clear_untrusted_proxy_headers=True
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # closed under its hands: that is how it ends
            self._server.run()

    def close(self) -> None:
        """Stop answering; requests under way may be cut off."""
        self._server.close()
