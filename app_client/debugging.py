"""Debug mode as it should be: with the right debugger where an app is written, and never where it is deployed.

Comes between an app's creation and its serving. Its guarantee: unless forced, an app in debug mode serves nobody but
this machine, because Flask's debugger lets whoever reaches it run any code. Knows Flask apps by their shape alone.
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
"""Keys of `app.config` which say, when true, that an external debugger (debugpy, PyCharm, pdb) is to catch errors."""

_GUARD = "debug_guard"
_SERVERS = {"gunicorn", "waitress", "waitress-serve", "uwsgi", "hypercorn", "uvicorn", "granian", "daphne", "mod_wsgi"}
_REFUSED = (
    "Debug mode is refused {where}: whoever gets there could run any code on this machine. "
    "Set DEBUG to false, serve 127.0.0.1 alone or, if nobody else can get there, pass force=True"
)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class App(Protocol):
    """What is needed of a `flask.Flask`."""

    wsgi_app: Any
    debug: bool
    extensions: dict[str, Any]

    @property
    def config(self) -> Any:
        """The app's keys and values."""

    @property
    def logger(self) -> logging.Logger:
        """The app's own."""

    def run(self, host: str | None = None, port: int | None = None, **options: Any) -> None:
        """Serve for development."""


class DebugRefused(RuntimeError):
    """Debug mode where others could use it."""


def configure(app: App, path: str | PathLike[str], *, force: bool = False) -> None:
    """Take the configuration from a file (see `load_config`) and guard the app against debug mode on a production host.

    Raises ConfigProblem for the file, and DebugRefused when debug mode is on and a WSGI server, or `flask run` with a
    public address, is loading the app; a server that shows only later gets 503 for every request. With `force` there is
    no guard, only a warning in the log.
    """
    app.config.from_mapping(load_config(path))
    where = _wsgi_server() or _flask_run()
    if where and (app.debug or _flask_run_debugger()):
        _refuse(app, where, force=force)
    if not force:
        _guard(app)


def run_options(app: App, host: str | None = None, *, force: bool = False, **options: Any) -> dict[str, Any]:
    """What to give `app.run`, `host` among it: `debug` as the app has it, `use_debugger` and `use_reloader` to match.

    With an external debugger these two are off and exceptions leave `app.run` itself (`passthrough_errors`, one
    thread), so that the debugger sees them; an error nobody catches then ends the server. The caller's `options` come
    first.
    Raises DebugRefused for debug mode, or the debugger alone, on a public address or under a WSGI server.
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
    """`app.run` with `run_options`."""
    app.run(port=port, **run_options(app, host, force=force, **options))


def is_external(config: Mapping[str, Any]) -> bool:
    """True when one of the keys in `EXTERNAL` is."""
    return any(config.get(key) is True for key in EXTERNAL)


class _Guard:
    """WSGI middleware: answers 503 while its app is in debug mode and the server one that others may reach."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._inner: WSGI = app.wsgi_app
        self._said = False
        self.forced = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        where = _served_by(environ) if self._app.debug and not self.forced else ""
        if not where:
            return self._inner(environ, start_response)
        if not self._said:
            self._said = True
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
    app.logger.warning("Debug mode is forced %s: whoever gets there can run any code on this machine", where)


def _served_by(environ: Mapping[str, Any]) -> str:
    """Where a request came in, if not at Werkzeug's server on this machine's loopback or in a test (PEP 3333)."""
    server = environ.get("SERVER_SOFTWARE", "")
    if not server.startswith("Werkzeug/"):
        return f"under {server.partition('/')[0]}" if server else ""
    bound = str(environ.get("SERVER_NAME", ""))  # Werkzeug gives the number it is bound to, a test client a name
    numeric = ":" in bound or bound.replace(".", "").isdigit()
    return f"on {bound}" if numeric and not is_loopback(bound) else ""


def _wsgi_server() -> str:
    """Says under what, when a production server runs this process, as far as can be told before the first request."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    names = {PurePath(sys.argv[0]).stem if sys.argv else "", (spec.name if spec else "").partition(".")[0]}
    names |= {name for name in ("uwsgi", "mod_wsgi") if name in sys.modules}  # made by these servers alone
    names.add(os.environ.get("SERVER_SOFTWARE", "").partition("/")[0])  # gunicorn sets it
    return next((f"under {name}" for name in sorted(names & _SERVERS)), "")


def _flask_run() -> str:
    host = str(_flask_run_parameters().get("host") or "")
    return f"on {host}" if host and _is_public(host) else ""


def _flask_run_debugger() -> bool:
    return bool(_flask_run_parameters().get("debugger"))


def _flask_run_parameters() -> Mapping[str, Any]:
    """The options of the `flask run` that is loading the app, if one is."""
    click = sys.modules.get("click")
    context = click.get_current_context(silent=True) if click else None
    return context.params if context and context.info_name == "run" else {}


def _is_public(host: str) -> bool:
    """False when only this machine gets there; True also for a name nobody knows."""
    if is_loopback(host) or host.startswith("unix://"):
        return False
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return True
    return not all(map(is_loopback, found))
