"""Create log handlers with one call: at level WARNING, in the documented file format, ready for `addHandler`.

    app.logger.addHandler(rotating_file("/var/log/yourapplication/errors.log"))

Guarantee: a returned handler works. An unwritable path, a missing folder or an unsupported system raises `LogFileError`
at once, with advice in its text. The standard classes fail later, or fail without a message.
"""

import errno
import importlib.util
import logging
import os
import re
import stat
import sys
from logging import Handler
from logging.handlers import NTEventLogHandler
from pathlib import Path
from typing import TypeVar

from app_client.formatting.formatters import FileFormatter, file_formatter
from app_client.logfiles.rotation import SizedFile, TimedFile, WatchedFile
from app_client.logfiles.syslog import SyslogHandler, describe, parse_address

_WHEN = re.compile("S|M|H|D|MIDNIGHT|W[0-6]", re.IGNORECASE)
_Ready = TypeVar("_Ready", bound=Handler)


class LogFileError(OSError):
    """The log file, syslog or event log cannot be used. The text says why, and what to do."""


def plain_file(
    path: str | os.PathLike[str], *, level: int | str = logging.WARNING, formatter: logging.Formatter | None = None
) -> logging.FileHandler:
    """Return a handler for a file without rotation, or a device such as `/dev/stderr`. Raises LogFileError."""
    handler = logging.FileHandler(_writable(path), encoding="utf-8", errors="backslashreplace")
    return _ready(handler, level, formatter)


def rotating_file(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = 10 * 1024 * 1024,
    keep: int = 5,
    level: int | str = logging.WARNING,
    formatter: logging.Formatter | None = None,
) -> SizedFile:
    """Return a handler that renames the file to `path.1` at `max_bytes` bytes and retains `keep` old files.

    Several processes may share the file. Raises LogFileError; ValueError if `max_bytes` or `keep` is below 1 (the
    standard class would then never rotate).
    """
    if max_bytes < 1 or keep < 1:
        raise ValueError("max_bytes and keep must be at least 1")
    name = _writable(path, rotates=True)
    handler = SizedFile(name, maxBytes=max_bytes, backupCount=keep, encoding="utf-8", errors="backslashreplace")
    return _ready(handler, level, formatter)


def timed_file(
    path: str | os.PathLike[str],
    *,
    when: str = "midnight",
    keep: int = 14,
    level: int | str = logging.WARNING,
    formatter: logging.Formatter | None = None,
) -> TimedFile:
    """Return a handler that renames the file to `path.2024-05-01` at a given time and retains `keep` old files.

    `when` is that of the standard handler: "midnight", "H" for each hour, "W0" for each Monday. Several processes may
    share the file. Raises LogFileError; ValueError for an invalid `when`, or a `keep` below 1 (the standard class would
    then retain all files).
    """
    if not _WHEN.fullmatch(when):
        raise ValueError(f'when must be "midnight", "S", "M", "H", "D", or "W0" (Monday) to "W6", not {when!r}')
    if keep < 1:
        raise ValueError("keep must be at least 1")
    name = _writable(path, rotates=True)
    handler = TimedFile(name, when=when, backupCount=keep, encoding="utf-8", errors="backslashreplace")
    return _ready(handler, level, formatter)


def watched_file(
    path: str | os.PathLike[str], *, level: int | str = logging.WARNING, formatter: logging.Formatter | None = None
) -> WatchedFile:
    """Return a handler for a file that logrotate may rename: the next record opens a new file. Raises LogFileError."""
    handler = WatchedFile(_writable(path, regular=True), encoding="utf-8", errors="backslashreplace")
    return _ready(handler, level, formatter)


def syslog(
    address: str = "",
    *,
    ident: str = "",
    facility: str = "user",
    level: int | str = logging.WARNING,
    formatter: logging.Formatter | None = None,
) -> SyslogHandler:
    """Return a handler for the syslog of this system, or for `address`: a path, "udp://host:514" or "tcp://host:601".

    `ident` is the name of the program in syslog. A record, with its traceback, is one line. Raises LogFileError if no
    server listens there (for UDP, only a wrong host name is detected), ValueError for an invalid address or facility.
    """
    server = parse_address(address)
    try:
        handler = SyslogHandler(server, ident=ident, facility=facility)
    except OSError as error:
        raise LogFileError(f"no syslog at {server}: {describe(error)}") from error
    return _ready(handler, level, formatter or FileFormatter(single=True))


def windows_event_log(
    source: str, *, level: int | str = logging.WARNING, formatter: logging.Formatter | None = None
) -> NTEventLogHandler:
    """Return a handler for the Windows event log, with the source name `source`.

    Raises LogFileError on other systems, and if pywin32 is not installed.
    """
    if sys.platform != "win32":
        raise LogFileError("the Windows event log exists on Windows only: use syslog() or a file on this system")
    if importlib.util.find_spec("win32evtlogutil") is None:
        raise LogFileError("the Windows event log needs the package pywin32: pip install pywin32")
    return _ready(NTEventLogHandler(source), level, formatter)


def _ready(handler: _Ready, level: int | str, formatter: logging.Formatter | None) -> _Ready:
    try:
        handler.setLevel(level)
    except (TypeError, ValueError):
        handler.close()
        raise
    handler.setFormatter(formatter or file_formatter())
    return handler


def _writable(path: str | os.PathLike[str], *, rotates: bool = False, regular: bool = False) -> Path:
    """Open the file for writing, creating it if needed, and return its absolute path. Raises LogFileError."""
    file = Path(os.path.abspath(path))  # noqa: PTH100 - as the standard handlers do; `resolve` would follow links
    try:
        if file.exists():
            _check_kind(file, regular=regular or rotates)
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666))
    except OSError as error:
        raise error if isinstance(error, LogFileError) else LogFileError(_advice(file, error)) from error
    if rotates and not os.access(file.parent, os.W_OK | os.X_OK):
        raise LogFileError(
            f"{file} cannot be rotated: {_current_user()} may not rename files in {file.parent}. "
            "Make that user the owner of the folder, or use a watched file and logrotate"
        )
    return file


def _check_kind(file: Path, *, regular: bool) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise LogFileError(f"{file} is a folder: name a file in it")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise LogFileError(f"{file} is a pipe or a socket: logging would block until it is read. Name a file")
    if regular and not stat.S_ISREG(mode):
        raise LogFileError(f"{file} is a device: it cannot be rotated. Use a plain file handler for it")


def _advice(file: Path, error: OSError) -> str:
    blocker = next((parent for parent in file.parents if parent.exists() and not parent.is_dir()), None)
    if blocker is not None:
        return f"{file} cannot be a file: {blocker} is not a folder. Choose another path"
    if error.errno == errno.ENOENT and not file.parent.is_dir():
        return f"the folder {file.parent} does not exist: create it, and let {_current_user()} write there"
    if file.is_symlink() and not file.exists():
        return f"{file} is a link to a place that does not exist: {file.readlink()}"
    reasons = {
        errno.EACCES: f"{_current_user()} may not write to it. Make that user the owner of the file, or of its folder",
        errno.EPERM: f"{_current_user()} may not write to it, or a file attribute protects it (see lsattr)",
        errno.EROFS: "the file system is read-only here. Mount a volume, or add ReadWritePaths= to the systemd unit",
        errno.ENOSPC: "the file system is full. Free some space",
        errno.EDQUOT: f"the quota of {_current_user()} is used up. Free some space",
        errno.ENOENT: f"no file can be created in {file.parent}. Choose another folder",
    }
    return f"{file} cannot be written: {reasons.get(error.errno or 0, error.strerror)}"


def _current_user() -> str:
    """Return name and uid of the user of this process, who often differs from the user who set up the app."""
    if sys.platform == "win32":
        return "this user"
    import pwd  # noqa: PLC0415 - not on Windows

    number = os.geteuid()
    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"
