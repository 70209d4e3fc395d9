"""What Flask's guide tells one to check by hand under the deployed user, checked: one finding for each.

Called by hand, off the way of any report. Its guarantee: it changes nothing that the app's own set-up would not, and
sends nothing but the test error when asked for. Source: "When in Doubt, Run Manually" in Flask's guide "Debugging
Application Errors". Knows neither Flask nor a command line.
"""

import getpass
import logging
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from logging.handlers import BaseRotatingHandler, SMTPHandler
from pathlib import Path

from app_client.delivery.connection import Access, describe
from app_client.delivery.fallback import MAX_BYTES, Fallback, is_open_to_all
from app_client.handler import ErrorMailHandler

_MEBI = 1024 * 1024
_SCARCE = 8 * _MEBI  # bytes free that count as none


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question."""

    name: str
    ok: bool
    text: str

    def __str__(self) -> str:
        """A line, whatever stands in a path or in what a server said."""
        text = "".join(character if character.isprintable() else " " for character in self.text)
        return f"{'ok' if self.ok else 'FAIL':<5} {self.name}: {text}"


class TestError(Exception):
    """Raised to be mailed."""

    __test__ = False  # no test for pytest


def examine_user(expected: str | None) -> Finding:
    """Who this process is; not ok when `expected` names somebody else."""
    name, whole = _user()
    ok = expected in (None, name)
    if not ok:
        whole += f"; the app is deployed as {expected}: ask again as that user"
    elif name == "root" and expected is None:
        whole += "; root may do everything: ask as the user the app is deployed under"
    return Finding(name="user", ok=ok, text=f"{whole}; in {Path.cwd()}")


def examine_debug(*, debug: bool, testing: bool) -> Finding:
    """Ok when neither is on."""
    on = " and ".join(name for name, value in (("debug", debug), ("testing", testing)) if value)
    if on:
        return Finding(name="debug", ok=False, text=f"{on} mode is on: errors are not mailed, and strangers see them")
    return Finding(name="debug", ok=True, text="off")


def examine_files(handlers: Iterable[logging.Handler]) -> list[Finding]:
    """One finding for each file of these handlers: may it be written, and rotated where its handler does so."""
    found: dict[str, Finding] = {}
    for handler in handlers:
        if isinstance(handler, logging.FileHandler):
            trouble = _trouble_with(Path(handler.baseFilename), rotates=isinstance(handler, BaseRotatingHandler))
            finding = Finding(name="file", ok=not trouble, text=trouble or f"{handler.baseFilename} can be written")
            earlier = found.get(handler.baseFilename)
            if earlier is None or earlier.ok:
                found[handler.baseFilename] = finding
    return list(found.values())


def examine_fallback(folder: Path) -> Finding:
    """May mails wait there, how many do, and is there room for more; a folder that is not there yet is not made."""
    name, _ = _user()
    try:
        place = next(place for place in (folder, *folder.parents) if place.exists())
        trouble = _trouble_with_folder(folder, place, name)
        free = shutil.disk_usage(place).free
        if not trouble and free < _SCARCE:
            trouble = f"can hold no more: its file system has {free / _MEBI:.1f} MiB left"
        waiting = _waiting(folder)
    except OSError as error:
        return Finding(name="fallback", ok=False, text=f"{folder} cannot be used: {error.strerror}")
    return Finding(name="fallback", ok=not trouble, text=f"{folder} {trouble or 'can be written'}{waiting}")


def examine_relay(handler: ErrorMailHandler) -> Finding:
    """Connects as the handler would, up to the login; sends no mail."""
    access = _access(handler)
    try:
        smtp = access.open()
    except (OSError, ValueError) as trouble:
        said = describe(trouble) if isinstance(trouble, OSError) else str(trouble)
        return Finding(name="relay", ok=False, text=f"{access} does not answer as it should: {said}")
    try:
        greeting = (smtp.ehlo_resp or smtp.helo_resp or b"").decode("ascii", "replace").partition("\n")[0][:200]
        return Finding(name="relay", ok=True, text=f"{access} answers: {greeting}")
    finally:
        smtp.close()


def send_test(handler: ErrorMailHandler, logger: str) -> Finding:
    """Sends a real exception the way of every other one, and waits for the relay's answer."""
    name, _ = _user()
    try:
        raise TestError(f"a test by {name}: nothing is wrong")  # noqa: TRY301 - a traceback is wanted
    except TestError:
        record = logging.getLogger(logger).makeRecord(
            logger, logging.ERROR, __file__, 0, "Test of the error mails", (), sys.exc_info(), "send_test"
        )
    handler.handle(record)
    handler.flush()
    if handler.dropped or handler.pending:
        how = "refused or could not be made" if handler.dropped else "not taken in time"
        return Finding(name="test", ok=False, text=f"the test error was {how}")
    return Finding(name="test", ok=True, text=f"the relay took a test error for {', '.join(handler.toaddrs)}")


def _user() -> tuple[str, str]:
    """The name, and all there is to say of it."""
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


def _trouble_with(file: Path, *, rotates: bool) -> str:
    """What hinders this user, or nothing. A file that is not there yet is not made, only looked for a place for."""
    name, _ = _user()
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND))
    except FileNotFoundError:
        if not file.parent.is_dir():
            return f"{file} cannot be written: its folder does not exist"
        rotates = True  # what it takes to make a file is what it takes to rename one
    except OSError as trouble:
        return f"{file} cannot be written by {name}: {trouble.strerror}{_owner(file)}"
    if rotates and not os.access(file.parent, os.W_OK | os.X_OK):
        return f"{file} cannot be made or rotated: {file.parent} is closed to {name}{_owner(file.parent)}"
    return ""


def _trouble_with_folder(folder: Path, place: Path, name: str) -> str:
    """`place` is the folder, or the nearest above it that there is."""
    if not place.is_dir():
        return f"cannot be used: {place} is no folder"
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK if place == folder else os.W_OK | os.X_OK):
        return f"cannot be used: {place} is closed to {name}{_owner(place)}"
    if place != folder:
        return ""
    if is_open_to_all(folder):
        return f"is not used, because anybody may write to it{_owner(folder)}"
    return "can hold no more: it holds as much as it may" if Fallback(folder).survey().is_full else ""


def _waiting(folder: Path) -> str:
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return ""
    held = Fallback(folder).survey()
    size = f"{held.size / _MEBI:.1f} of {MAX_BYTES // _MEBI} MiB"
    return f"; mails waiting: {held.mails}, for {held.count} errors, {size}"


def _owner(path: Path) -> str:
    try:
        return f"; it belongs to {path.owner()}, mode {path.stat().st_mode & 0o7777:04o}"
    except (OSError, KeyError, NotImplementedError):
        return ""


def _access(handler: SMTPHandler) -> Access:
    return Access(
        host=handler.mailhost,
        port=handler.mailport or 25,
        local_name="localhost",
        timeout=handler.timeout,
        credentials=(handler.username, handler.password) if handler.username else None,
        secure=handler.secure,
    )
