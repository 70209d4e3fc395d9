"""Flask's side: reads `app.config` and puts an `ErrorMailHandler` in place, and log files if they are asked for.

    app.config["ADMINS"] = ["yourname@example.com"]
    ErrorMail(app)

Keys of `app.config`, all optional but the first:

    ADMINS                    list of addresses, or one
    ERROR_MAIL_HOST           the relay: "host", "host:port" or a pair; "127.0.0.1", which means port 25
    ERROR_MAIL_SENDER         "server-error@" and this host's name
    ERROR_MAIL_SUBJECT        the app's name and "Failed"
    ERROR_MAIL_CREDENTIALS    pair of user name and password
    ERROR_MAIL_SECURE         as `secure` of the stock handler; () for STARTTLS, which needs credentials
    ERROR_MAIL_LEVEL          "ERROR", as name or number
    ERROR_MAIL_LOGGERS        names of other libraries' loggers to listen to as well, "sqlalchemy" say
    ERROR_MAIL_ENVIRONMENT    told to the relay: "production", "staging"
    ERROR_MAIL_RELEASE        told to the relay
    ERROR_MAIL_FALLBACK       a folder where mails wait when the relay is away for long
    ERROR_MAIL_REQUEST        False; True puts a block about the request at the head of the mail
    ERROR_LOG_...             files and syslog, see `app_client.logfiles.config`

Several apps in one process do not mix: what is logged while an app serves a request is that app's alone.
"""

import contextlib
import logging
import os
import socket
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, current_app, g, has_app_context, has_request_context, request, session

from app_client.delivery.mailhost import split_mailhost
from app_client.delivery.message import addresses
from app_client.flask_cli import NAME, commands, is_asked
from app_client.formatting.formatters import mail_formatter
from app_client.formatting.request import RequestFacts
from app_client.handler import ErrorMailHandler
from app_client.logfiles.config import handlers_of
from app_client.loggers import Attachment, attach

KEY = "error_mail"
"""Where in `app.extensions` the app's handler stands."""
LOG_KEY = "error_log"
"""Where in `app.extensions` the list of the handlers stands that the `ERROR_LOG_...` keys asked for."""


class ErrorMail:
    """The extension; holds nothing of any app, so that one may serve an application factory."""

    def __init__(self, app: Flask | None = None, *, even_in_debug: bool = False) -> None:
        """Set up `app`, if given. Without `even_in_debug`, nothing is mailed in debug or testing mode."""
        self._even_in_debug = even_in_debug
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Attach the handlers that `app.config` describes; an app that has them already keeps those.

        Raises ValueError, naming the key, when the configuration cannot work. Puts `flask error-mail doctor` on the
        app's command line in any case; it says what is wrong in place of the error.
        """
        if NAME not in app.cli.commands:
            app.cli.add_command(commands(_handler, _log_handlers, debug=app.debug))
        if KEY in app.extensions or not (self._even_in_debug or _in_production(app)):
            return
        try:
            self._set_up(app)
        except ValueError:
            if not is_asked():
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
        # Loggers live as long as the process: they must let go of an app that is gone.
        weakref.finalize(app, _release, attachment, files).atexit = False


def request_facts() -> RequestFacts | None:
    """What is known of the request that Flask is serving; None when it serves none. Never raises.

    The request's id is `g.request_id`, else the header `X-Request-ID`, else the server's `REQUEST_ID`.
    """
    if not has_request_context():
        return None
    return RequestFacts(**{name: _told(fact) for name, fact in _FACTS.items()})


def _told(fact: Callable[[], object]) -> str:
    """A fact as text; "" where the request is too broken to tell it (a Host header that is none, say)."""
    with contextlib.suppress(Exception):
        return str(fact() or "")
    return ""


def _request_id() -> object:
    return g.get("request_id") or request.headers.get("X-Request-ID") or request.environ.get("REQUEST_ID")


def _user_id() -> object:
    """Flask-Login's user id. The session has it as text; the user object might ask a database that is in trouble."""
    if not hasattr(current_app, "login_manager"):
        return None
    with contextlib.suppress(Exception):
        if user_id := session.get("_user_id"):
            return user_id
    user = g.get("_login_user")  # of a request with a token of its own, if the app has asked for its user
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
    """Lets through what belongs to one app, and that only in production.

    Apps of the same name share a logger, and any apps may listen to the same library. A record logged while an app is
    active belongs to that app; one logged outside of any belongs to the first that asks, so that it is mailed once.
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
            return bool(current_app == app)  # the proxy compares what it stands for
        return bool(record.__dict__.setdefault("_error_mail_app", id(app)) == id(app))


def _in_production(app: Flask) -> bool:
    return not (app.debug or app.testing)


def _log_handlers(app: Flask) -> list[logging.Handler]:
    return handlers_of(app.config, name=app.name, facts=request_facts)


def _handler(app: Flask) -> ErrorMailHandler:
    config = app.config
    if not config.get("ADMINS"):
        raise ValueError('app.config["ADMINS"] is not set: list there who gets the error mails, before ErrorMail(app)')
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
        # What waits there is not the doctor's to send.
        fallback=None if is_asked() else _checked(app, "ERROR_MAIL_FALLBACK", None, _path),
    )
    handler.setLevel(_checked(app, "ERROR_MAIL_LEVEL", logging.ERROR, logging.Handler().setLevel))
    handler.setFormatter(mail_formatter(facts=request_facts if config.get("ERROR_MAIL_REQUEST") else None))
    return handler


def _checked(app: Flask, key: str, default: object, check: Callable[[Any], object]) -> Any:
    """The key's value, once `check` has not raised ValueError or TypeError."""
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
