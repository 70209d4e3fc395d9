"""Housekeeping step: delete old data, so that neither the disk nor the ledger grows without bound (worker loop).

    segments of the spool    when all their records are ingested (`ingest` does it too; this handles what a crash left)
                             and parked mails in them, for which there was no room, have their files
    ledger                   samples, counts, record ids, the bytes of settled messages: see `Ledger.purge`
    parked mails             files and rows, after `storage.parked_for`
    unfinished backups       after a day
    local mailbox            after `storage.samples_for`, and the oldest above MAILBOX_AT_MOST
    above storage.max_disk   samples, settled messages and the local mailbox sooner, after one hour at the earliest

Guarantee: nothing that waits to be ingested, reported or sent is deleted, and no dead letter, whatever the disk cap is.
Ages depend on the clock. After the clock jumps by more than a day, ahead or back, nothing is deleted for six hours, so
that a wrong clock can be corrected before it does damage. The last known time is stored in a file, since a machine may
start with a wrong clock. A missing file counts as a jump.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from relay.config import Settings
from relay.data_dir import UNFINISHED, DataDir
from relay.deliver import Mailbox
from relay.errors import SpoolError
from relay.failpoint import reach
from relay.ledger import Ledger, QuarantinedMail
from relay.spool import Quarantine, SpoolReader

log = structlog.get_logger()

PAUSE = timedelta(minutes=1)
"""The time between two rounds, unless the last one left work."""
JUMP = timedelta(days=1)
"""A difference to the last known time from which the clock is not trusted at once."""
DISTRUST = timedelta(hours=6)
"""How long nothing is deleted after a jump of the clock."""
MESSAGES_FOR = timedelta(days=14)
"""How long the bytes of a settled message are kept."""
MAILBOX_AT_MOST = 1_000
"""The largest number of mails in the local mailbox."""
SWEPT_AFTER = timedelta(days=1)
SHORTEST = timedelta(hours=1)
"""The shortest retention above the disk cap."""
TIGHTEST = 9
"""How often a retention is halved at most: 14 days become less than an hour."""


class Housekeeping:
    """The housekeeping step of one worker on one data directory."""

    def __init__(self, ledger: Ledger, reader: SpoolReader, settings: Settings) -> None:
        data_dir = DataDir(settings.storage.data_dir)
        self._ledger = ledger
        self._reader = reader
        self._storage = settings.storage
        self._mailbox = Mailbox(data_dir.mailbox)
        self._data_dir = data_dir.root
        self._parked = data_dir.quarantine
        self._parking = Quarantine(self._parked)
        self._clock = _Clock(data_dir.housekeeping_clock)
        self._ran_at: datetime | None = None
        self._next_at: datetime | None = None
        self._tightened = 0
        self._size = 0

    def step(self, now: datetime) -> bool:
        """Run one bounded round if one is due. Returns True if there is more to do at once.

        Raises LedgerBusy. A file error is logged, and only the files that it affects stay.
        """
        if self._ran_at and self._next_at and self._ran_at <= now < self._next_at:
            return False
        self._ran_at, self._next_at = now, now + PAUSE
        self._release()
        if not self._clock.is_trusted(now):
            return False
        more = self._delete_old(now)
        if more:
            self._next_at = now
        return more

    def _release(self) -> None:
        with _logged("ingested mail could not be removed from the spool"):
            spool_id = self._reader.spool_id
            if spool_id:
                self._write_quarantine_files(spool_id)
                self._reader.release(self._ledger.needed_from(spool_id))

    def _write_quarantine_files(self, spool_id: str) -> None:
        """Write the files of parked mails for which there was no room before."""
        for position in self._ledger.quarantined_without_file(spool_id):
            records = self._reader.read(position, limit=1)
            if records and records[0].position == position:
                path = self._parking.put(spool_id, records[0])
                self._ledger.set_quarantine_file(spool_id, position, path)
                log.info("parked mail filed", position=position, file=path)

    def _delete_old(self, now: datetime) -> bool:
        """Run one round over all old data. Returns True if the ledger has more of it."""
        reach("housekeeping.purge")
        samples_for = self._tight(self._storage.samples_for)
        purged = self._ledger.purge(
            now,
            samples_for=samples_for,
            counts_for=self._storage.counts_for,
            messages_for=self._tight(MESSAGES_FOR),
        )
        if purged:
            return True
        with _logged("old mails could not be removed from the local mailbox"):
            self._mailbox.expire(now - samples_for, at_most=MAILBOX_AT_MOST)
        with _logged("old parked mails could not be removed"):
            self._forget_parked(now - self._storage.parked_for)
        with _logged("the folder of a killed backup or repair could not be removed"):
            self._sweep(now - SWEPT_AFTER)
        self._apply_disk_cap()
        return False

    def _sweep(self, before: datetime) -> None:
        """Remove the working folders of killed commands: their links keep segments on the disk."""
        for path in self._data_dir.glob(UNFINISHED):
            if path.is_dir() and path.stat().st_mtime < before.timestamp():
                shutil.rmtree(path)

    def _forget_parked(self, before: datetime) -> None:
        """Unlink parked mails, then remove them from the list.

        A file that does not exist here may be on another machine: the entry stays a day longer, for the worker there.
        Files without an entry are removed a day later too.
        """
        late = before - timedelta(days=1)
        old = self._ledger.quarantined(before=before, limit=1_000)
        done = [mail for mail in old if self._unlink(mail) or mail.at < late]
        if done:
            self._ledger.forget_quarantined(done)
        for path, modified in _files(self._parked):
            if modified < late.timestamp():
                path.unlink(missing_ok=True)

    def _unlink(self, mail: QuarantinedMail) -> bool:
        """Remove a parked mail's file. Returns False if the file is not on this machine."""
        path = Path(mail.path)
        if not mail.path or path.parent != self._parked or not path.exists():
            return not mail.path
        path.unlink(missing_ok=True)
        return True

    # --- The disk cap -------------------------------------------------------------------------------------------------

    def _tight(self, retention: timedelta) -> timedelta:
        """Return a retention, shortened according to the disk cap."""
        return retention if not self._tightened else min(retention, max(retention / 2**self._tightened, SHORTEST))

    def _apply_disk_cap(self) -> None:
        """Shorten the retention if the state exceeds the cap and does not shrink by itself; lengthen it below 80 %."""
        cap, before = self._storage.max_disk, self._size
        self._size = sum(_size(path) for path, _ in _files(self._storage.data_dir))
        if self._size * 5 < cap * 4:
            self._tightened = max(0, self._tightened - 1)
        if self._size <= cap or self._size < before:
            return
        about = log.bind(bytes=self._size, max_disk=cap, folder=str(self._storage.data_dir))
        if self._tightened < TIGHTEST:
            self._tightened += 1
            about.warning(
                "the state takes more than storage.max_disk: samples and sent messages are kept for a shorter time",
                samples_for=str(self._tight(self._storage.samples_for)),
            )
        else:
            about.error("the state takes more than storage.max_disk, and all that is left must be kept: make room")


class _Clock:
    """Whether the clock can be trusted. A file with two times keeps the state over restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stood_at: datetime | None = None
        self._believed_from: datetime | None = None
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(file.read_text("utf-8"))
            self._stood_at = datetime.fromisoformat(kept["stood_at"]).astimezone(UTC)
            self._believed_from = datetime.fromisoformat(kept["believed_from"]).astimezone(UTC)

    def is_trusted(self, now: datetime) -> bool:
        """Store `now` as the last known time. Returns False until six hours after a jump of more than a day."""
        jumped = self._stood_at is None or abs(now - self._stood_at) > JUMP
        if jumped or self._believed_from is None:
            self._believed_from = now + DISTRUST
            log.info(
                "nothing old is removed for now: the clock is far from where it last stood, or this is a first start",
                clock=str(now),
                stood_at=str(self._stood_at),
                until=str(self._believed_from),
            )
        self._stood_at = now
        self._write()
        return now >= self._believed_from

    def _write(self) -> None:
        kept = {"stood_at": str(self._stood_at), "believed_from": str(self._believed_from)}
        new = self._file.with_suffix(".new")
        with _logged("housekeeping cannot store the time of the clock"):
            with open(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 -- with its mode from the start
                json.dump(kept, file)
            reach("housekeeping.clock")
            new.replace(self._file)


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log a file error and go on: the next round tries again."""
    try:
        yield
    except (OSError, SpoolError) as error:
        log.warning(what, why=str(error))


def _files(folder: Path) -> Iterator[tuple[Path, float]]:
    """Yield all files below a folder with their modification times; skip files that vanish meanwhile."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(FileNotFoundError):
                yield path, path.lstat().st_mtime


def _size(path: Path) -> int:
    """Return the bytes that a file takes on the disk; 0 if it is gone."""
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0
