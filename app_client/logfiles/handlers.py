"""Log files: one call each gives a handler at WARNING in the documented file format, ready for `addHandler`.

    app.logger.addHandler(rotating_file("/var/log/yourapplication/errors.log"))

Guarantee: what is returned works. A path that cannot be written, a missing folder, or the wrong system raises
`LogFileError` at once, with what to do about it; the stock classes fail later, or never say so.
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
from app_client.logfiles.syslog import SyslogHandler, describe, place_of

_WHEN = re.compile("S|M|H|D|MIDNIGHT|W[0-6]", re.IGNORECASE)
_Ready = TypeVar("_Ready", bound=Handler)


class LogFileError(OSError):
    """Nothing can be logged there; the text says why and what to do."""


def plain_file(
    path: str | os.PathLike[str], *, level: int | str = logging.WARNING, formatter: logging.Formatter | None = None
) -> logging.FileHandler:
    """A file that grows; `/dev/stderr` and the like will do, too. Raises LogFileError."""
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
    """A file that is renamed to `path.1` at `max_bytes`, and `keep` old ones. Several processes may share it.

    Raises LogFileError; ValueError if `max_bytes` or `keep` is below 1 (the stock class would then never rotate).
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
    """A file that is renamed to `path.2024-05-01` when it is time, and `keep` old ones. Several processes may share it.

    `when` is the stock handler's: "midnight", "H" for each hour, "W0" for each Monday. Raises LogFileError; ValueError
    for a `when` that is none, or a `keep` below 1 (the stock class would then keep all).
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
    """A file that logrotate may move away at any time: the next record opens a new one. Raises LogFileError."""
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
    """The system's syslog, or that of `address`: a socket's path, "udp://host:514" or "tcp://host:601".

    `ident` is the program's name there. A record is one line, its traceback included. Raises LogFileError when nobody
    listens there (with UDP only a wrong host name can be seen), ValueError for an address or facility that is none.
    """
    place = place_of(address)
    try:
        handler = SyslogHandler(place, ident=ident, facility=facility)
    except OSError as trouble:
        raise LogFileError(f"no syslog at {place}: {describe(trouble)}") from trouble
    return _ready(handler, level, formatter or FileFormatter(single=True))


def windows_event_log(
    source: str, *, level: int | str = logging.WARNING, formatter: logging.Formatter | None = None
) -> NTEventLogHandler:
    """The Windows event log, under the name `source`. Raises LogFileError elsewhere, and where pywin32 is missing."""
    if sys.platform != "win32":
        raise LogFileError("the Windows event log is on Windows only: use syslog() or a file on this system")
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
    """The absolute path of a file that has proved writable, and is there from now on."""
    file = Path(os.path.abspath(path))  # noqa: PTH100 - as the stock handlers do; `resolve` would follow links
    try:
        if file.exists():
            _check_kind(file, regular=regular or rotates)
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666))
    except OSError as trouble:
        raise trouble if isinstance(trouble, LogFileError) else LogFileError(_advice(file, trouble)) from trouble
    if rotates and not os.access(file.parent, os.W_OK | os.X_OK):
        raise LogFileError(
            f"{file} cannot be rotated: {_who()} may not rename files in {file.parent}. Give the folder to that user, "
            "or use a watched file and logrotate"
        )
    return file


def _check_kind(file: Path, *, regular: bool) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise LogFileError(f"{file} is a folder: name a file in it")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise LogFileError(f"{file} is a pipe or a socket: logging would wait for its reader. Name a file")
    if regular and not stat.S_ISREG(mode):
        raise LogFileError(f"{file} is a device: it cannot be rotated. Use a plain file handler for it")


def _advice(file: Path, trouble: OSError) -> str:
    blocker = next((parent for parent in file.parents if parent.exists() and not parent.is_dir()), None)
    if blocker is not None:
        return f"{file} cannot be a file: {blocker} is no folder. Choose another path"
    if trouble.errno == errno.ENOENT and not file.parent.is_dir():
        return f"the folder {file.parent} does not exist: create it, and let {_who()} write there"
    if file.is_symlink() and not file.exists():
        return f"{file} is a link to a place that does not exist: {file.readlink()}"
    reasons = {
        errno.EACCES: f"{_who()} may not write it. Give the file, or its folder, to that user",
        errno.EPERM: f"{_who()} may not write it, or it is protected by an attribute (lsattr shows it)",
        errno.EROFS: "the file system is read-only here. Mount a volume, or allow it by ReadWritePaths= in systemd",
        errno.ENOSPC: "the file system is full. Make room",
        errno.EDQUOT: f"the quota of {_who()} is used up. Make room",
        errno.ENOENT: f"no file can be created in {file.parent}. Choose another folder",
    }
    return f"{file} cannot be written: {reasons.get(trouble.errno or 0, trouble.strerror)}"


def _who() -> str:
    """The user that this process runs as, who is often not the one who set the app up."""
    if sys.platform == "win32":
        return "this user"
    import pwd  # noqa: PLC0415 - not on Windows

    number = os.geteuid()
    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"
