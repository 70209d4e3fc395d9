"""`relay backup` and `relay restore`: all state in one file, consistent, while the relay runs (CLI → service).

The file is a tar archive with

    spool/        the segments with the mails that the ledger of the backup has not ingested, and the spool's id
    ledger.db     a snapshot (SQLite's online backup); absent with PostgreSQL, which pg_dump backs up
    parked/ mailbox/

Guarantee: spool and ledger are consistent with each other. The segments are hard-linked before the ledger is copied, so
that none of them is lost meanwhile, and once more afterwards. So every mail that the snapshot has not ingested is in
the backup, and the snapshot's cursor is never beyond the end of the spool. A restore loses no mail and counts none
twice.
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

_EXCLUDED = ("claim", *RESERVES, "new")
"""Files of the spool that belong to the running processes and are not backed up."""


class BackupError(RelayError):
    """A backup cannot be written or restored; the text says why and what to do."""


def back_up(data_dir: Path, ledger_file: Path | None, file: Path) -> tuple[int, int]:
    """Write a backup of `data_dir` to `file` (mode 0600); `file` appears only when the backup is complete.

    Returns the number of mails in it that are not ingested yet, and its size in bytes. `ledger_file` is None when the
    ledger is in PostgreSQL. Raises BackupError, LedgerError.
    """
    draft = file.with_name(f".{file.name}.new")
    try:
        with tempfile.TemporaryDirectory(prefix=working_prefix("backup"), dir=data_dir) as folder:
            stage = Path(folder)
            backlog = _stage(data_dir, ledger_file, stage)
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
                _pack(stage, data_dir, out)
                out.flush()
                os.fsync(out.fileno())
            draft.rename(file)
    except OSError as error:
        raise BackupError(f"the backup {file} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return backlog, file.stat().st_size


def _stage(data_dir: Path, ledger_file: Path | None, stage: Path) -> int:
    """Collect the state that changes while it is read: segments as hard links, the ledger as a snapshot.

    Returns the number of mails that the snapshot has not ingested.
    """
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
    """Stage the spool's files as they are now; a hard-linked segment also shows what is still appended to it."""
    for path in sorted(spool.glob("*")) if spool.exists() else ():
        target = stage / path.name
        if path.suffix == ".segment" and not target.exists():
            with contextlib.suppress(FileNotFoundError):  # ingested and removed meanwhile
                os.link(path, target)
        elif path.suffix != ".segment" and path.name not in _EXCLUDED:
            shutil.copyfile(path, target)  # such as `synced`: after the segments whose end it records


def _snapshot(ledger_file: Path, copy: Path) -> None:
    if not ledger_file.exists():
        raise LedgerError(f"there is no ledger {ledger_file} yet; the relay creates it when it starts")
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
    """Restore the backup `file` into `data_dir`, which must be empty.

    Returns the top-level names of what was restored. Raises BackupError; InUse when the relay runs there.
    """
    make_private_folder(data_dir)
    with hold_lock(data_dir, "supervisor"), hold_lock(data_dir, "worker"), hold_lock(data_dir, "receiver"):
        existing = sorted(path.name for path in data_dir.iterdir() if path.suffix != ".lock")
        if existing:
            raise BackupError(f"{data_dir} is not empty ({', '.join(existing[:5])}): move its files away, then restore")
        try:
            with tempfile.TemporaryDirectory(prefix=working_prefix("restore"), dir=data_dir) as folder:
                return _restore_files(file, Path(folder), data_dir)
        except (OSError, tarfile.TarError) as error:
            raise BackupError(f"{file} cannot be restored: {error}") from error


def _restore_files(file: Path, stage: Path, data_dir: Path) -> list[str]:
    """Unpack everything, then move it into place, the ledger last.

    A relay that finds no ledger creates a new one. So an interrupted restore never shows a ledger without its spool.
    """
    with tarfile.open(file) as tar:
        names = _unpack(tar, stage)
    if LEDGER in names:
        Ledger.open(sqlite_url(stage / LEDGER), verify=True).close()
    for name in sorted(names, key=lambda name: name == LEDGER):
        (stage / name).rename(data_dir / name)
    os.sync()  # makes the renames durable
    return sorted(names)


def _unpack(tar: tarfile.TarFile, stage: Path) -> set[str]:
    """Write each file of a backup with mode 0600; refuse links, devices, unknown names and paths out of `stage`."""
    names = set()
    for member in tar:
        path = PurePosixPath(member.name)
        known = path.parts[0] in FOLDERS if len(path.parts) > 1 else member.name == LEDGER
        source = tar.extractfile(member) if member.isreg() else None
        if not known or ".." in path.parts or source is None:
            raise BackupError(f"this is not a backup of the relay: it contains {member.name!r}")
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
