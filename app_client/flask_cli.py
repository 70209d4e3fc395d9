"""The command line's face of the client: `flask error-mail doctor`.

`ErrorMail` registers it on an app's `cli`; Flask brings click. Holds nothing of any app, and is there in debug mode and
with a configuration that cannot work as well: to find this out is what it is for.
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

from app_client.doctor import (
    Finding,
    examine_debug,
    examine_fallback,
    examine_files,
    examine_relay,
    examine_user,
    send_test,
)
from app_client.handler import ErrorMailHandler

NAME = "error-mail"
MakeMail = Callable[[Flask], ErrorMailHandler]
MakeFiles = Callable[[Flask], list[logging.Handler]]


def commands(make_mail: MakeMail, make_files: MakeFiles, *, debug: bool) -> click.Group:
    """The group; it makes an app's handlers with these two, which raise ValueError for what cannot work.

    `debug` is the app's own mode: before it runs a command, `flask` sets it anew, by FLASK_DEBUG alone.
    """
    group = AppGroup(NAME, help="Error mails.")

    @group.command("doctor")
    @click.option("--send-test", "sending", is_flag=True, help="Send a test error to the ADMINS.")
    @click.option("--user", metavar="NAME", help="Whom the app is deployed under; fails for anybody else.")
    def doctor(*, sending: bool, user: str | None) -> None:
        """Check, as the user the app is deployed under, what error mails need. Exits with 1 when something fails."""
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented
        findings = [
            examine_user(user),
            examine_debug(debug=debug or app.debug, testing=app.testing),
            *_files(app, make_files),
            *_mail(app, make_mail, sending=sending),
            *_fallback(app),
        ]
        for finding in findings:
            click.echo(str(finding))
        click.get_current_context().exit(0 if all(finding.ok for finding in findings) else 1)

    return group


def is_asked() -> bool:
    """True while `flask` loads an app for one of these commands: what is wrong with it is theirs to say."""
    return click.get_current_context(silent=True) is not None and NAME in sys.argv


def _files(app: Flask, make_files: MakeFiles) -> list[Finding]:
    """Of the handlers in place, whoever made them; and of those that `app.config` asks for where none are yet."""
    names = app.config.get("ERROR_MAIL_LOGGERS") or ()
    names = [names] if isinstance(names, str) else names
    loggers = [app.logger, logging.getLogger(), *map(logging.getLogger, names)]
    found = examine_files([handler for logger in loggers for handler in logger.handlers])
    try:
        made = make_files(app)
    except ValueError as problem:
        return [*found, Finding(name="file", ok=False, text=str(problem))]
    with contextlib.ExitStack() as stack:
        for handler in made:
            stack.callback(handler.close)
        found += [finding for finding in examine_files(made) if finding not in found]
    return found or [Finding(name="file", ok=True, text="no log file is set up")]


def _fallback(app: Flask) -> list[Finding]:
    folder = app.config.get("ERROR_MAIL_FALLBACK")
    if not folder:
        return []
    try:
        return [examine_fallback(Path(os.fspath(folder)).absolute())]
    except TypeError as problem:
        return [Finding(name="fallback", ok=False, text=f'app.config["ERROR_MAIL_FALLBACK"]: {problem}')]


def _mail(app: Flask, make_mail: MakeMail, *, sending: bool) -> list[Finding]:
    try:
        handler = make_mail(app)
    except ValueError as problem:
        return [Finding(name="mail", ok=False, text=str(problem))]
    with contextlib.closing(handler):
        relay = examine_relay(handler)
        found = [Finding(name="mail", ok=True, text=f"to {', '.join(handler.toaddrs)}"), relay]
        if sending and relay.ok:
            found.append(send_test(handler, app.logger.name))
        elif sending:
            found.append(Finding(name="test", ok=False, text="not sent: the relay does not answer"))
    return found
