"""Set-up of debug mode: the right debugger during development, and a guard against debug mode in production.

Used after an app is created and before it serves. Guarantee: unless forced, an app in debug mode serves only clients on
this machine, because Flask's debugger lets every client run any code. Does not import Flask: see the protocol `App`.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import PurePath
from typing import Any, Protocol

from app_client.config_file import load_config
from app_client.delivery.mailhost import is_loopback

EXTERNAL = ("DEBUG_WITH_EXTERNAL", "DEBUG_WITH_APTANA")
"""Keys of `app.config`; if one is true, an external debugger (debugpy, PyCharm, pdb) catches errors."""

_GUARD = "debug_guard"
_SERVERS = {"gunicorn", "waitress", "waitress-serve", "uwsgi", "hypercorn", "uvicorn", "granian", "daphne", "mod_wsgi"}
_REFUSED = (
    "Debug mode is refused {where}: anyone who can connect could run any code on this machine. "
    "Set DEBUG to false, serve on 127.0.0.1 only or, if nobody else can connect, pass force=True"
)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class App(Protocol):
    """The parts of a `flask.Flask` that this module uses."""

    wsgi_app: Any
    debug: bool
    extensions: dict[str, Any]

    @property
    def config(self) -> Any:
        """The configuration of the app."""

    @property
    def logger(self) -> logging.Logger:
        """The logger of the app."""

    def run(self, host: str | None = None, port: int | None = None, **options: Any) -> None:
        """Run the development server."""


class DebugRefused(RuntimeError):
    """Debug mode would be reachable from other machines."""


def configure(app: App, path: str | PathLike[str], *, force: bool = False) -> None:
    """Load the configuration from a file (see `load_config`) and guard the app against debug mode in production.

    Raises ConfigProblem for an invalid file. Raises DebugRefused if debug mode is on and a WSGI server, or `flask run`
    with a public address, loads the app. A server that can be detected only during a request gets 503 for every
    request. With `force` there is no guard, only a warning in the log.
    """
    app.config.from_mapping(load_config(path))
    where = _wsgi_server() or _flask_run()
    if where and (app.debug or _flask_run_debugger()):
        _refuse(app, where, force=force)
    if not force:
        _guard(app)


def run_options(app: App, host: str | None = None, *, force: bool = False, **options: Any) -> dict[str, Any]:
    """Return the arguments for `app.run`: `host`, `debug` as the app has it, `use_debugger` and `use_reloader`.

    The last two are on in debug mode. With an external debugger they are off, and exceptions leave `app.run` itself
    (`passthrough_errors`, one thread), so that the debugger sees them. An uncaught error then ends the server.
    `options` override these values.
    Raises DebugRefused for debug mode, or for the debugger alone, on a public address or under a WSGI server.
    """
    debug = bool(options.get("debug", app.debug))
    chosen: dict[str, Any] = {"host": host, "debug": debug, "use_debugger": debug, "use_reloader": debug}
    if debug and is_external(app.config):
        chosen |= {"use_debugger": False, "use_reloader": False, "passthrough_errors": True, "threaded": False}
    chosen |= options
    bound = host or (app.config.get("SERVER_NAME") or "127.0.0.1").partition(":")[0] or "127.0.0.1"
    where = _wsgi_server() or (f"on {bound}" if _is_public(bound) else "")
    if where and (chosen["debug"] or chosen["use_debugger"]):
        _refuse(app, where, force=force)
    return chosen


def run(app: App, host: str | None = None, port: int | None = None, *, force: bool = False, **options: Any) -> None:
    """Call `app.run` with `run_options`."""
    app.run(port=port, **run_options(app, host, force=force, **options))


def is_external(config: Mapping[str, Any]) -> bool:
    """Return True if one of the keys in `EXTERNAL` is true."""
    return any(config.get(key) is True for key in EXTERNAL)


class _Guard:
    """WSGI middleware: answers 503 while the app is in debug mode on a server that other machines can reach."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._inner: WSGI = app.wsgi_app
        self._logged = False
        self.forced = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        where = _served_by(environ) if self._app.debug and not self.forced else ""
        if not where:
            return self._inner(environ, start_response)
        if not self._logged:
            self._logged = True
            self._app.logger.critical(_REFUSED.format(where=where))
        start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Debug mode is refused here; the log of the app says why.\n"]


def _guard(app: App) -> None:
    if _GUARD not in app.extensions:
        app.wsgi_app = app.extensions[_GUARD] = _Guard(app)


def _refuse(app: App, where: str, *, force: bool) -> None:
    text = _REFUSED.format(where=where)
    if not force:
        raise DebugRefused(text)
    if _GUARD in app.extensions:
        app.extensions[_GUARD].forced = True
    app.logger.warning("Debug mode is forced %s: anyone who can connect can run any code on this machine", where)


def _served_by(environ: Mapping[str, Any]) -> str:
    """Return where the request came in; "" for Werkzeug's server on the loopback and for a test client (PEP 3333)."""
    server = environ.get("SERVER_SOFTWARE", "")
    if not server.startswith("Werkzeug/"):
        return f"under {server.partition('/')[0]}" if server else ""
    bound = str(environ.get("SERVER_NAME", ""))  # an IP address from Werkzeug, a host name from a test client
    numeric = ":" in bound or bound.replace(".", "").isdigit()
    return f"on {bound}" if numeric and not is_loopback(bound) else ""


def _wsgi_server() -> str:
    """Return "under NAME" if a production server runs this process, as far as this is visible before a request."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    names = {PurePath(sys.argv[0]).stem if sys.argv else "", (spec.name if spec else "").partition(".")[0]}
    names |= {name for name in ("uwsgi", "mod_wsgi") if name in sys.modules}  # modules that only these servers provide
    names.add(os.environ.get("SERVER_SOFTWARE", "").partition("/")[0])  # gunicorn sets it
    return next((f"under {name}" for name in sorted(names & _SERVERS)), "")


def _flask_run() -> str:
    host = str(_flask_run_parameters().get("host") or "")
    return f"on {host}" if host and _is_public(host) else ""


def _flask_run_debugger() -> bool:
    return bool(_flask_run_parameters().get("debugger"))


def _flask_run_parameters() -> Mapping[str, Any]:
    """Return the options of the `flask run` that loads the app, or {}."""
    click = sys.modules.get("click")
    context = click.get_current_context(silent=True) if click else None
    return context.params if context and context.info_name == "run" else {}


def _is_public(host: str) -> bool:
    """Return False if only this machine can connect to `host`; True also for an unknown host name."""
    if is_loopback(host) or host.startswith("unix://"):
        return False
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return True
    return not all(map(is_loopback, found))
