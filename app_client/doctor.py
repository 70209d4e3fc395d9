"""Checks of the set-up: user, debug mode, log files, fallback folder, and the connection to the relay.

Run by hand, outside the flow of a report; `flask_cli` is the command. These are the checks that Flask's guide
"Debugging Application Errors" (section "When in Doubt, Run Manually") describes. Guarantee: the checks change nothing
that the set-up of the app would not change, and send nothing but a test error, on request. Knows neither Flask nor a
command line.
"""

import contextlib
import getpass
import logging
import os
import shutil
import smtplib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from logging.handlers import BaseRotatingHandler, SMTPHandler
from pathlib import Path

from app_client.delivery.connection import ConnectionSettings, describe
from app_client.delivery.fallback import MAX_BYTES, Fallback, is_world_writable
from app_client.handler import ErrorMailHandler

_RELAY_KEYWORD = "x-error-mail-relay"  # the relay's EHLO keyword, in lower case as smtplib keeps it
_MEBI = 1024 * 1024
_MIN_FREE = 8 * _MEBI  # bytes; a file system with less than this counts as full


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    name: str
    ok: bool
    text: str

    def __str__(self) -> str:
        """Return one printable line, even if a path or a server's reply contains control characters."""
        text = "".join(character if character.isprintable() else " " for character in self.text)
        return f"{'ok' if self.ok else 'FAIL':<5} {self.name}: {text}"


WHEN_REPORTED = (
    "by default it is reported after 10 s, or up to 5 min later while other new errors keep coming; "
    "a repeated test waits for the next report"
)
"""When the digest with the test error comes: the defaults of `[timing]` in the relay's configuration."""


class TestError(Exception):
    """The test error that the doctor mails."""

    __test__ = False  # pytest must not collect it


def check_user(expected: str | None) -> Finding:
    """Report the user of this process; not ok when `expected` names another user."""
    name, text = _user()
    ok = expected in (None, name)
    if not ok:
        text += f"; the app is deployed as {expected}: run the doctor again as that user"
    elif name == "root" and expected is None:
        text += "; root may do everything: run the doctor as the user that runs the deployed app"
    return Finding(name="user", ok=ok, text=f"{text}; in {Path.cwd()}")


def check_debug(*, debug: bool, testing: bool) -> Finding:
    """Ok when both modes are off."""
    on = " and ".join(name for name, value in (("debug", debug), ("testing", testing)) if value)
    if on:
        return Finding(name="debug", ok=False, text=f"{on} mode is on: errors are not mailed, and visitors see them")
    return Finding(name="debug", ok=True, text="off")


def check_files(handlers: Iterable[logging.Handler]) -> list[Finding]:
    """Return one finding per log file: whether it can be written and, if its handler rotates files, renamed."""
    found: dict[str, Finding] = {}
    for handler in handlers:
        if isinstance(handler, logging.FileHandler):
            problem = _file_problem(Path(handler.baseFilename), rotates=isinstance(handler, BaseRotatingHandler))
            finding = Finding(name="file", ok=not problem, text=problem or f"{handler.baseFilename} can be written")
            earlier = found.get(handler.baseFilename)
            if earlier is None or earlier.ok:
                found[handler.baseFilename] = finding
    return list(found.values())


def check_fallback(folder: Path) -> Finding:
    """Check that the fallback folder can be used and has space, and count its mails. Never creates the folder."""
    name, _ = _user()
    try:
        place = next(place for place in (folder, *folder.parents) if place.exists())
        problem = _folder_problem(folder, place, name)
        free = shutil.disk_usage(place).free
        if not problem and free < _MIN_FREE:
            problem = f"is full: its file system has {free / _MEBI:.1f} MiB left"
        waiting = _waiting_mails(folder)
    except OSError as error:
        return Finding(name="fallback", ok=False, text=f"{folder} cannot be used: {error.strerror}")
    return Finding(name="fallback", ok=not problem, text=f"{folder} {problem or 'can be written'}{waiting}")


def check_relay(handler: ErrorMailHandler) -> Finding:
    """Connect and log in as the handler does; sends no mail. Not ok if another mail server answers."""
    settings = _connection_settings(handler)
    try:
        smtp = settings.open()
    except (OSError, ValueError) as error:
        reason = describe(error) if isinstance(error, OSError) else str(error)
        return Finding(name="relay", ok=False, text=f"{settings} cannot be used: {reason}")
    try:
        name = (smtp.ehlo_resp or smtp.helo_resp or b"").decode("ascii", "replace").partition("\n")[0][:200]
        if smtp.has_extn(_RELAY_KEYWORD):
            return Finding(name="relay", ok=True, text=f"{settings} is the error-mail relay: {name}")
    finally:
        smtp.close()
    other = f"{settings} is another mail server, not the error-mail relay: {_greeting(settings) or name}"
    return Finding(name="relay", ok=False, text=f"{other}; name the relay's port, or free this one for the relay")


def _greeting(settings: ConnectionSettings) -> str:
    """Return the server's greeting, which often names its program; "" if it cannot be had."""
    with contextlib.suppress(OSError):
        smtp = smtplib.SMTP(timeout=settings.timeout)
        try:
            return smtp.connect(settings.host, settings.port)[1].decode("ascii", "replace").partition("\n")[0][:200]
        finally:
            smtp.close()
    return ""


def send_test(handler: ErrorMailHandler, logger: str) -> Finding:
    """Send a real exception through the handler and wait for the relay's reply."""
    name, _ = _user()
    try:
        raise TestError(f"a test by {name}: nothing is wrong")  # noqa: TRY301 - the mail needs a traceback
    except TestError:
        record = logging.getLogger(logger).makeRecord(
            logger, logging.ERROR, __file__, 0, "Test of the error mails", (), sys.exc_info(), "send_test"
        )
    handler.handle(record)
    handler.flush()
    if handler.dropped or handler.pending:
        refused = "the relay refused the test error, or it could not be formatted"
        late = "the relay did not accept the test error in time"
        return Finding(name="test", ok=False, text=refused if handler.dropped else late)
    text = f"the relay accepted a test error for {', '.join(handler.toaddrs)}; {WHEN_REPORTED}"
    return Finding(name="test", ok=True, text=text)


def _user() -> tuple[str, str]:
    """Return the user name, and a text with name, uid and groups."""
    if sys.platform == "win32":
        name = getpass.getuser()
        return name, name
    import grp  # noqa: PLC0415 - not on Windows
    import pwd  # noqa: PLC0415

    uid, gids = os.geteuid(), {os.getegid(), *os.getgroups()}
    users = {each.pw_uid: each.pw_name for each in pwd.getpwall() if each.pw_uid == uid}
    names = {each.gr_gid: each.gr_name for each in grp.getgrall() if each.gr_gid in gids}
    groups = ", ".join(f"{names.get(gid, '?')} ({gid})" for gid in sorted(gids))
    name = users.get(uid, str(uid))
    return name, f"{name} ({uid}) in the groups {groups}"


def _file_problem(file: Path, *, rotates: bool) -> str:
    """Return why this user cannot write the file, or "". For a missing file, checks the folder; creates nothing."""
    name, _ = _user()
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND))
    except FileNotFoundError:
        if not file.parent.is_dir():
            return f"{file} cannot be written: its folder does not exist"
        rotates = True  # creating a file needs the same rights as renaming one
    except OSError as error:
        return f"{file} cannot be written by {name}: {error.strerror}{_owner(file)}"
    if rotates and not os.access(file.parent, os.W_OK | os.X_OK):
        return f"{file} cannot be created or rotated: {name} may not write to {file.parent}{_owner(file.parent)}"
    return ""


def _folder_problem(folder: Path, place: Path, name: str) -> str:
    """Return why the folder cannot be used, or "". `place` is the folder, or its nearest parent that exists."""
    if not place.is_dir():
        return f"cannot be used: {place} is not a folder"
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK if place == folder else os.W_OK | os.X_OK):
        rights = "read and write" if place == folder else "write to"
        return f"cannot be used: {name} may not {rights} {place}{_owner(place)}"
    if place != folder:
        return ""
    if is_world_writable(folder):
        return f"is not used, because every user may write to it{_owner(folder)}"
    return "is full: it has reached its limit of files or bytes" if Fallback(folder).survey().is_full else ""


def _waiting_mails(folder: Path) -> str:
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return ""
    held = Fallback(folder).survey()
    size = f"{held.size / _MEBI:.1f} of {MAX_BYTES // _MEBI} MiB"
    errors = f"{held.count} error{'' if held.count == 1 else 's'}"
    return f"; mails waiting: {held.mails}, for {errors}, {size}"


def _owner(path: Path) -> str:
    try:
        return f"; its owner is {path.owner()}, its mode {path.stat().st_mode & 0o7777:04o}"
    except (OSError, KeyError, NotImplementedError):
        return ""


def _connection_settings(handler: SMTPHandler) -> ConnectionSettings:
    return ConnectionSettings(
        host=handler.mailhost,
        port=handler.mailport or 25,
        local_name="localhost",
        timeout=handler.timeout,
        credentials=(handler.username, handler.password) if handler.username else None,
        secure=handler.secure,
    )
