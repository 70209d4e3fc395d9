"""`relay backup` and `relay restore`: all state in one file, of one moment, while the relay works (CLI → service).

A tar file with

    spool/        the segments that hold what the ledger of the backup has not sorted, and its id
    ledger.db     a snapshot (SQLite's online backup); of PostgreSQL nothing: that is pg_dump's
    parked/ mailbox/

Guarantee: together they are of one moment. The segments are linked before the ledger is copied, so that none is removed
meanwhile, and looked through once more afterwards: what the copy has not sorted is there, and nothing it has sorted
lies behind the end of the spool. So no mail is lost by a restore, and none is counted twice.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

from relay.data_dir import FOLDERS, LEDGER, MAILBOX, QUARANTINE, SPOOL, working_prefix
from relay.errors import LedgerError, RelayError
from relay.ledger import Ledger, sqlite_url
from relay.service.lock import hold_lock, make_private_folder
from relay.spool import RESERVES, SpoolReader

_NOT_KEPT = ("claim", *RESERVES, "new")
"""Files of the spool that are this run's alone."""


class BackupError(RelayError):
    """A backup cannot be made or put back; the text says why and what to do."""


def back_up(data_dir: Path, ledger_file: Path | None, file: Path) -> tuple[int, int]:
    """Write a backup of `data_dir` to `file` (0600, there when it is whole).

    Returns how many unsorted mails are in it, and its bytes. `ledger_file` is None where the ledger is PostgreSQL's.
    Raises BackupError, LedgerError.
    """
    draft = file.with_name(f".{file.name}.new")
    try:
        with tempfile.TemporaryDirectory(prefix=working_prefix("backup"), dir=data_dir) as folder:
            stage = Path(folder)
            unsorted = _stage(data_dir, ledger_file, stage)
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
                _pack(stage, data_dir, out)
                out.flush()
                os.fsync(out.fileno())
            draft.rename(file)
    except OSError as error:
        raise BackupError(f"no backup can be made in {file}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return unsorted, file.stat().st_size


def _stage(data_dir: Path, ledger_file: Path | None, stage: Path) -> int:
    """Take what may change while it is read: the segments as links, the ledger as a snapshot. Returns mails to sort."""
    spool, staged = data_dir / SPOOL, stage / SPOOL
    staged.mkdir(mode=0o700)
    _link(spool, staged)
    if ledger_file is not None:
        _snapshot(ledger_file, stage / LEDGER)
        _link(spool, staged)
    reader = SpoolReader(staged)
    if ledger_file is None or not reader.spool_id:
        return reader.waiting(0)
    ledger = Ledger.open(sqlite_url(stage / LEDGER))
    position = ledger.cursor(reader.spool_id)
    ledger.close()
    reader.release(position)
    return reader.waiting(position)


def _link(spool: Path, stage: Path) -> None:
    """Take the spool's files as they are now; links to segments see what is still written to them."""
    for path in sorted(spool.glob("*")) if spool.exists() else ():
        there = stage / path.name
        if path.suffix == ".segment" and not there.exists():
            with contextlib.suppress(FileNotFoundError):  # sorted and removed meanwhile
                os.link(path, there)
        elif path.suffix != ".segment" and path.name not in _NOT_KEPT:
            shutil.copyfile(path, there)  # the mark: after the segments it speaks of


def _snapshot(ledger_file: Path, copy: Path) -> None:
    if not ledger_file.exists():
        raise LedgerError(f"there is no ledger {ledger_file} yet; the relay makes it when it starts")
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(ledger_file, timeout=30)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger {ledger_file} cannot be copied: {error}") from error


def _pack(stage: Path, data_dir: Path, out: io.BufferedWriter) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for root, path in _files(stage, data_dir):
            info = tarfile.TarInfo(str(path.relative_to(root)))
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                found = os.fstat(file.fileno())
                info.size, info.mtime, info.mode = found.st_size, int(found.st_mtime), 0o600
                tar.addfile(info, file)


def _files(stage: Path, data_dir: Path) -> Iterator[tuple[Path, Path]]:
    if (stage / LEDGER).exists():
        yield stage, stage / LEDGER
    yield from ((stage, path) for path in sorted((stage / SPOOL).iterdir()))
    for name in (QUARANTINE, MAILBOX):
        yield from ((data_dir, path) for path in sorted((data_dir / name).rglob("*")) if path.is_file())


def restore(file: Path, data_dir: Path) -> list[str]:
    """Put the backup `file` into `data_dir`, which must be empty; returns the top names in it. Raises BackupError."""
    make_private_folder(data_dir)
    with hold_lock(data_dir, "supervisor"), hold_lock(data_dir, "worker"), hold_lock(data_dir, "receiver"):
        there = sorted(path.name for path in data_dir.iterdir() if path.suffix != ".lock")
        if there:
            held = ", ".join(there[:5])
            raise BackupError(f"{data_dir} is not empty ({held}): move away what is there, then restore")
        try:
            with tempfile.TemporaryDirectory(prefix=working_prefix("restore"), dir=data_dir) as folder:
                return _put_back(file, Path(folder), data_dir)
        except (OSError, tarfile.TarError) as error:
            raise BackupError(f"{file} cannot be restored: {error}") from error


def _put_back(file: Path, stage: Path, data_dir: Path) -> list[str]:
    """Unpack all of it before anything takes its place, the ledger last: a relay that finds none begins a new one."""
    with tarfile.open(file) as tar:
        names = _unpack(tar, stage)
    if LEDGER in names:
        Ledger.open(sqlite_url(stage / LEDGER), verify=True).close()
    for name in sorted(names, key=lambda name: name == LEDGER):
        (stage / name).rename(data_dir / name)
    os.sync()  # every name of it
    return sorted(names)


def _unpack(tar: tarfile.TarFile, stage: Path) -> set[str]:
    """Write each file of a backup, for its owner alone; whatever else a tar file may hold is refused."""
    names = set()
    for member in tar:
        path = PurePosixPath(member.name)
        known = path.parts[0] in FOLDERS if len(path.parts) > 1 else member.name == LEDGER
        source = tar.extractfile(member) if member.isreg() else None
        if not known or ".." in path.parts or source is None:
            raise BackupError(f"this is no backup of the relay: {member.name!r} is in it")
        target = stage / path
        for folder in reversed(path.parents[:-1]):
            (stage / folder).mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
        os.utime(target, (member.mtime, member.mtime))
        names.add(path.parts[0])
    return names
