"""Flask extension `ErrorMail`: attaches an `ErrorMailHandler`, and optional log files, as `app.config` says.

    app.config["ADMINS"] = ["yourname@example.com"]
    ErrorMail(app)

Keys of `app.config` with their defaults; only ADMINS is required:

    ADMINS                    the recipients: a list of addresses, or one address
    ERROR_MAIL_HOST           the relay: "host", "host:port" or a pair. Default "127.0.0.1", port 25
    ERROR_MAIL_SENDER         the sender. Default "server-error@" and the name of this host
    ERROR_MAIL_SUBJECT        the subject. Default the name of the app and "Failed"
    ERROR_MAIL_CREDENTIALS    pair of user name and password
    ERROR_MAIL_SECURE         as `secure` of the standard handler; () for STARTTLS, which needs credentials
    ERROR_MAIL_LEVEL          lowest level that is mailed, as name or number. Default "ERROR"
    ERROR_MAIL_LOGGERS        names of further loggers, of other libraries: for example "sqlalchemy"
    ERROR_MAIL_ENVIRONMENT    sent to the relay: "production", "staging"
    ERROR_MAIL_RELEASE        sent to the relay
    ERROR_MAIL_FALLBACK       a folder where mails wait when the relay is unavailable for long
    ERROR_MAIL_REQUEST        True puts a block about the request at the head of the mail. Default False
    ERROR_LOG_...             log files and syslog, see `app_client.logfiles.config`

Any other key that begins with ERROR_MAIL or ERROR_LOG_ is logged as a warning, with the nearest known key.

Several apps in one process are kept apart: a record that is logged while an app serves a request belongs to that app.
"""

import contextlib
import logging
import os
import socket
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, current_app, g, has_app_context, has_request_context, request, session

from app_client.config_keys import unknown_keys
from app_client.delivery.mailhost import split_mailhost
from app_client.delivery.message import addresses
from app_client.flask_cli import NAME, commands, is_command_running
from app_client.formatting.formatters import mail_formatter
from app_client.formatting.request import RequestFacts
from app_client.handler import ErrorMailHandler
from app_client.logfiles.config import handlers_of
from app_client.loggers import Attachment, attach

KEY = "error_mail"
"""Key of the app's mail handler in `app.extensions`."""
LOG_KEY = "error_log"
"""Key of the list of handlers for the `ERROR_LOG_...` settings in `app.extensions`."""


class ErrorMail:
    """The extension. It holds no state of an app, so one instance may serve an application factory."""

    def __init__(self, app: Flask | None = None, *, even_in_debug: bool = False) -> None:
        """Set up `app`, if given. Nothing is mailed in debug or testing mode, unless `even_in_debug` is true."""
        self._even_in_debug = even_in_debug
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Attach the handlers that `app.config` describes. A second call for the same app changes nothing.

        Registers the command `flask error-mail doctor` in any case. Raises ValueError, which names the key, when the
        configuration cannot work; while that command runs, nothing is raised and the command reports the error.
        """
        if NAME not in app.cli.commands:
            app.cli.add_command(commands(_handler, _log_handlers, debug=app.debug))
        if KEY in app.extensions or not (self._even_in_debug or _in_production(app)):
            return
        try:
            self._set_up(app)
        except ValueError:
            if not is_command_running():
                raise

    def _set_up(self, app: Flask) -> None:
        mail = _handler(app)
        files = _log_handlers(app)
        for handler in (mail, *files):
            handler.addFilter(_OwnRecords(app, even_in_debug=self._even_in_debug))
        names = app.config.get("ERROR_MAIL_LOGGERS") or ()
        loggers = [app.logger, *map(logging.getLogger, [names] if isinstance(names, str) else names)]
        attachment = attach([mail, *files], loggers)
        app.extensions[KEY], app.extensions[LOG_KEY] = mail, files
        for sentence in unknown_keys(app.config):
            app.logger.warning("%s", sentence)
        # Loggers live as long as the process, so they must not keep an app alive.
        weakref.finalize(app, _release, attachment, files).atexit = False


def request_facts() -> RequestFacts | None:
    """Return the facts of the request that Flask serves, or None outside of a request. Never raises.

    The request id is `g.request_id`, else the header `X-Request-ID`, else `REQUEST_ID` of the server.
    """
    if not has_request_context():
        return None
    return RequestFacts(**{name: _fact_text(fact) for name, fact in _FACTS.items()})


def _fact_text(fact: Callable[[], object]) -> str:
    """Return a fact as text; "" where the request is too malformed to read it (an invalid Host header, for example)."""
    with contextlib.suppress(Exception):
        return str(fact() or "")
    return ""


def _request_id() -> object:
    return g.get("request_id") or request.headers.get("X-Request-ID") or request.environ.get("REQUEST_ID")


def _user_id() -> object:
    """Return the user id of Flask-Login, from the session: loading the user could query a database that is failing."""
    if not hasattr(current_app, "login_manager"):
        return None
    with contextlib.suppress(Exception):
        if user_id := session.get("_user_id"):
            return user_id
    user = g.get("_login_user")  # set for a request with a token, once the app has loaded the user
    return user.get_id() if user is not None else None


_FACTS: dict[str, Callable[[], object]] = {
    "method": lambda: request.method,
    "url": lambda: request.url,
    "endpoint": lambda: request.endpoint,
    "remote_addr": lambda: request.remote_addr,
    "user_agent": lambda: request.user_agent.string,
    "request_id": _request_id,
    "user_id": _user_id,
}


class _OwnRecords(logging.Filter):
    """Filter that passes the records of one app, in production only.

    Apps with the same name share a logger, and several apps may listen to the same library. A record that is logged in
    the context of an app belongs to that app. Outside of any context it belongs to the first filter that sees it, so it
    is mailed once.
    """

    def __init__(self, app: Flask, *, even_in_debug: bool) -> None:
        super().__init__()
        self._app = weakref.ref(app)
        self._even_in_debug = even_in_debug

    def filter(self, record: logging.LogRecord) -> bool:
        app = self._app()
        if app is None or not (self._even_in_debug or _in_production(app)):
            return False
        if has_app_context():
            return bool(current_app == app)  # the proxy compares the app that it refers to
        return bool(record.__dict__.setdefault("_error_mail_app", id(app)) == id(app))


def _in_production(app: Flask) -> bool:
    return not (app.debug or app.testing)


def _log_handlers(app: Flask) -> list[logging.Handler]:
    return handlers_of(app.config, name=app.name, facts=request_facts)


def _handler(app: Flask) -> ErrorMailHandler:
    config = app.config
    if not config.get("ADMINS"):
        raise ValueError(
            'app.config["ADMINS"] is not set: list the recipients of the error mails there, before ErrorMail(app)'
        )
    handler = ErrorMailHandler(
        _checked(app, "ERROR_MAIL_HOST", "127.0.0.1", split_mailhost),
        _checked(app, "ERROR_MAIL_SENDER", f"server-error@{socket.gethostname()}", _addresses),
        _checked(app, "ADMINS", (), _addresses),
        config.get("ERROR_MAIL_SUBJECT", f"{app.name} Failed"),
        _checked(app, "ERROR_MAIL_CREDENTIALS", None, _pair),
        config.get("ERROR_MAIL_SECURE"),
        app=app.name,
        environment=config.get("ERROR_MAIL_ENVIRONMENT", ""),
        release=config.get("ERROR_MAIL_RELEASE", ""),
        package=app.import_name.partition(".")[0],
        facts=request_facts,
        # The doctor must not send the mails that wait in the folder.
        fallback=None if is_command_running() else _checked(app, "ERROR_MAIL_FALLBACK", None, _path),
    )
    handler.setLevel(_checked(app, "ERROR_MAIL_LEVEL", logging.ERROR, logging.Handler().setLevel))
    handler.setFormatter(mail_formatter(facts=request_facts if config.get("ERROR_MAIL_REQUEST") else None))
    return handler


def _checked(app: Flask, key: str, default: object, check: Callable[[Any], object]) -> Any:
    """Return the value of `key`. Raises ValueError, which names the key, if `check` rejects the value."""
    value = app.config.get(key, default)
    try:
        check(value)
    except (TypeError, ValueError) as problem:
        raise ValueError(f'app.config["{key}"]: {problem}') from problem
    return value


def _addresses(value: str | Sequence[str]) -> None:
    addresses((value,) if isinstance(value, str) else tuple(value))


def _path(value: str | os.PathLike[str] | None) -> None:
    if value is not None:
        os.fspath(value)


def _pair(value: Sequence[str] | None) -> None:
    if value is not None and (isinstance(value, str) or len(value) != 2):
        raise ValueError("must be a pair of user name and password")


def _release(attachment: Attachment, files: list[logging.Handler]) -> None:
    attachment.detach()
    for handler in files:
        handler.close()
