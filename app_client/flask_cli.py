"""The command `flask error-mail doctor`: runs the checks of `app_client.doctor` for a Flask app.

`ErrorMail` registers it on `app.cli`; Flask installs click. It holds no state of an app. It is available in debug mode
and with an invalid configuration too, because it exists to diagnose these.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app_client.config_keys import unknown_keys
from app_client.doctor import (
    Finding,
    check_debug,
    check_fallback,
    check_files,
    check_relay,
    check_user,
    send_test,
)
from app_client.handler import ErrorMailHandler

NAME = "error-mail"
MakeMail = Callable[[Flask], ErrorMailHandler]
MakeFiles = Callable[[Flask], list[logging.Handler]]


def commands(make_mail: MakeMail, make_files: MakeFiles, *, debug: bool) -> click.Group:
    """Return the command group. `make_mail` and `make_files` create the handlers of an app; they raise ValueError.

    `debug` is the mode that the app has set itself: before it runs a command, `flask` resets it from FLASK_DEBUG.
    """
    group = AppGroup(NAME, help="Error mails.")

    @group.command("doctor")
    @click.option("--send-test", "sending", is_flag=True, help="Send a test error to the ADMINS.")
    @click.option("--user", metavar="NAME", help="The user that runs the deployed app; fails for any other user.")
    def doctor(*, sending: bool, user: str | None) -> None:
        """Check all that error mails need. Run it as the user that runs the app. Exits with 1 if a check fails."""
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented
        findings = [
            check_user(user),
            check_debug(debug=debug or app.debug, testing=app.testing),
            *(Finding(name="config", ok=False, text=sentence) for sentence in unknown_keys(app.config)),
            *_files(app, make_files),
            *_mail(app, make_mail, sending=sending),
            *_fallback(app),
        ]
        for finding in findings:
            click.echo(str(finding))
        click.get_current_context().exit(0 if all(finding.ok for finding in findings) else 1)

    return group


def is_command_running() -> bool:
    """Return True while `flask` loads an app for one of these commands, which reports configuration errors itself."""
    return click.get_current_context(silent=True) is not None and NAME in sys.argv


def _files(app: Flask, make_files: MakeFiles) -> list[Finding]:
    """Check the handlers that are attached, by the app or by `ErrorMail`, and those that `app.config` asks for."""
    names = app.config.get("ERROR_MAIL_LOGGERS") or ()
    names = [names] if isinstance(names, str) else names
    loggers = [app.logger, logging.getLogger(), *map(logging.getLogger, names)]
    found = check_files([handler for logger in loggers for handler in logger.handlers])
    try:
        made = make_files(app)
    except ValueError as problem:
        return [*found, Finding(name="file", ok=False, text=str(problem))]
    with contextlib.ExitStack() as stack:
        for handler in made:
            stack.callback(handler.close)
        found += [finding for finding in check_files(made) if finding not in found]
    return found or [Finding(name="file", ok=True, text="no log file is configured")]


def _fallback(app: Flask) -> list[Finding]:
    folder = app.config.get("ERROR_MAIL_FALLBACK")
    if not folder:
        return []
    try:
        return [check_fallback(Path(os.fspath(folder)).absolute())]
    except TypeError as problem:
        return [Finding(name="fallback", ok=False, text=f'app.config["ERROR_MAIL_FALLBACK"]: {problem}')]


def _mail(app: Flask, make_mail: MakeMail, *, sending: bool) -> list[Finding]:
    try:
        handler = make_mail(app)
    except ValueError as problem:
        return [Finding(name="mail", ok=False, text=str(problem))]
    with contextlib.closing(handler):
        relay = check_relay(handler)
        found = [Finding(name="mail", ok=True, text=f"to {', '.join(handler.toaddrs)}"), relay]
        if sending and relay.ok:
            found.append(send_test(handler, app.logger.name))
        elif sending:
            found.append(Finding(name="test", ok=False, text="not sent: the relay cannot be used"))
    return found
