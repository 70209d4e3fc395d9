"""The HTTP server: waitress on sockets that already listen, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flask import Flask
from waitress.server import create_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

THREADS = 4


class Server:
    """The HTTP server of one worker. `app` may be replaced at any time; the next request gets the new one."""

    def __init__(self, app: Flask, sockets: Sequence[socket.socket]) -> None:
        """Serve `app` on `sockets`, which already listen."""
        self.app = app
        self._server = create_server(
            self._handle, sockets=list(sockets), threads=THREADS, ident=None, clear_untrusted_proxy_headers=True
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def _handle(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # `close` closes the sockets, which ends `run` with this error
            self._server.run()

    def close(self) -> None:
        """Stop serving; a running request may be cut off."""
        self._server.close()
