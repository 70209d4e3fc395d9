"""Ingest step: parse → redact → fingerprint → rules → route → group, one batch at a time (spool → ingest → ledger).

Guarantee: every mail of the spool is booked exactly once, as pending, muted, ignored or parked, in the transaction that
moves the cursor past it, also after a crash.

Poison guard: before the first mail of a batch is parsed, the batch is recorded beside the spool. A worker that finds
such a record at its start was killed during that batch. It repeats the batch mail by mail, and counts an attempt before
each mail. At the third attempt the mail has killed two workers and is parked. (If a worker is killed after it parsed
the mail, the mail is hardly the cause: three such attempts count as one.) A mail whose parsing raises an exception is
parked at once. If there is no room for the file of a parked mail, the mail stays in the spool until there is; the other
mails are ingested.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import structlog

from relay.config import Settings
from relay.errors import CursorMismatch, RelayError, SpoolError
from relay.failpoint import reach
from relay.grouping.routing import Router
from relay.grouping.rules import Rules
from relay.grouping.versions import Versions
from relay.ingest.app_names import AppNames
from relay.ingest.carry_over import CarriedOver, CarryOver
from relay.ingest.counting import Counting, ReportedError
from relay.ingest.learning import Learning, Lessons, Sight
from relay.ingest.ours import bounces_in, ourselves
from relay.ingest.splits import LedgerSplits
from relay.ingest.versions import VERSIONS
from relay.ledger import IngestTransaction, Ledger
from relay.model import GroupKey, Record, Report
from relay.model.histogram import INGEST_BOUNDS, Histogram
from relay.parse.report import parse_all
from relay.redact import Redactor
from relay.spool import PoisonGuard, Quarantine

log = structlog.get_logger()

MAX_KILLED_WORKERS = 2
"""The number of workers that a mail may kill before it is parked."""


T = TypeVar("T")


class _ReadMail(NamedTuple):
    """One mail of a batch that could be read, with the reports of its errors, the worst one first."""

    record: Record
    reports: Sequence[Report]
    sights: Sequence[Sight]
    """The fingerprint of each report, and what can be learned from it; empty for a mail of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ParsedMail:
    """One mail of a batch. `error` is None if it is not reported (a mail of our own, or one that a rule ignores)."""

    record: Record
    record_id: str
    """The client's id of the mail; "" if it has none."""
    own: bool
    """True if the mail is one of our own, or about one of ours."""
    error: ReportedError | None
    further: Sequence[ReportedError]
    """Further errors that the mail reports. They count occurrences and no mail."""

    @property
    def errors(self) -> Sequence[ReportedError]:
        return [self.error, *self.further] if self.error else self.further


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuarantinedMail:
    """One mail to be quarantined, with the reason."""

    record: Record
    reason: str


class MailSource(Protocol):
    """The source of mails: the spool, or the mailbox of a replay."""

    @property
    def spool_id(self) -> str:
        """The id of the source; "" while it is empty."""

    def read(self, position: int, *, limit: int = ...) -> list[Record]:
        """Return the records from `position` on, in order."""

    def end(self) -> int:
        """Return the position behind the last record."""

    def release(self, position: int) -> None:
        """Allow the source to remove everything before `position`: it is ingested."""


class Ingest:
    """The step that ingests the spool."""

    def __init__(
        self,
        reader: MailSource,
        poison_guard: PoisonGuard,
        ledger: Ledger,
        settings: Settings,
        quarantine_folder: Path,
        versions: Versions = VERSIONS,
    ) -> None:
        """`quarantine_folder` gets the mails that cannot be ingested. `versions` are those of the fingerprint."""
        self._reader = reader
        self._poison_guard = poison_guard
        self._ledger = ledger
        self._apps = settings.app
        self._ours = ourselves(settings)
        self._redactor = Redactor(settings.redact)
        self._rules = Rules(settings.rule)
        self._fingerprint = versions.current
        self._router = Router(settings.all_routes)
        self._app_names = AppNames(ledger)
        self._versions = versions
        self._splits = LedgerSplits(ledger, self._rules, versions)
        self._carry_over = CarryOver(ledger, self._rules, self._router, versions)
        self._learning = Learning(ledger, settings.all_routes)
        self._counting = Counting({route.name: route.timing for route in settings.all_routes}, versions)
        self._quarantine = Quarantine(quarantine_folder)
        self._deferred = True
        """Whether parked mails may still be in the spool because there was no room for their files."""
        self._position: int | None = None
        self.ingested_to = 0
        """The spool position at which the last step ended."""
        self.caught_up = False
        """Whether the last step found nothing left to ingest."""
        self.busy_since: float | None = None
        """When (monotonic seconds) the parsing of the current mail began; None between mails."""
        self.seconds = Histogram(INGEST_BOUNDS)
        """Seconds from the receipt of each mail to the commit of its batch, since this worker started."""

    def step(self, now: datetime) -> bool:
        """Ingest one batch. Returns False if there is nothing to ingest.

        Raises LedgerBusy (nothing is lost, the next step tries again), CursorMismatch if the ledger is ahead of
        the spool (one of them was restored from a backup: docs/operations.md), SpoolError.
        """
        spool_id = self._reader.spool_id
        if not spool_id:
            self.caught_up = True
            return False
        position = self._start(spool_id) if self._position is None else self._position
        began, self._position = time.monotonic(), None  # read again after a step that failed
        suspect = self._poison_guard.interrupted_batch()
        single = suspect is not None and position < suspect[1]
        records = self._reader.read(position, limit=1) if single else self._reader.read(position)
        self.caught_up = not records
        if records:
            try:
                self._ingest_batch(spool_id, position, records, now, single=single)
            except RelayError:
                self._poison_guard.done()  # this worker lives: it was the ledger or the disk, not the mail
                raise
            position = records[-1].end
            committed_at = now + timedelta(seconds=time.monotonic() - began)
            for record in records:
                self.seconds.observe((committed_at - record.received_at).total_seconds())
        if not single or suspect is None or position >= suspect[1]:
            self._poison_guard.done()
        self._release(spool_id, position)
        self._position = self.ingested_to = position
        return bool(records)

    def _release(self, spool_id: str, position: int) -> None:
        """Release the spool up to `position`, except for parked mails that have no file yet."""
        needed = self._ledger.needed_from(spool_id) if self._deferred else position
        self._deferred = needed < position
        self._reader.release(needed)

    def _start(self, spool_id: str) -> int:
        position = self._ledger.cursor(spool_id)
        end = self._reader.end()
        if position > end:
            raise CursorMismatch(
                f"the ledger has ingested spool {spool_id} up to {position}, but the spool ends at {end}: "
                "the spool was restored from an older state; see docs/operations.md, 'Restore'"
            )
        return position

    def _ingest_batch(
        self, spool_id: str, position: int, records: Sequence[Record], now: datetime, *, single: bool
    ) -> None:
        if single:
            attempts = self._poison_guard.count_attempt(position)
            kills_workers = attempts > MAX_KILLED_WORKERS
        else:
            self._poison_guard.begin(position, records[-1].end)
            kills_workers = False
        reach("ingest.claimed")
        reason = f"it killed {MAX_KILLED_WORKERS} workers that tried to ingest it"
        read = [_QuarantinedMail(record=r, reason=reason) if kills_workers else self._read(r) for r in records]
        self._app_names.learn((r for each in read if isinstance(each, _ReadMail) for r in each.reports), now)
        self._splits.refresh(now)
        done = [self._find_errors(each) if isinstance(each, _ReadMail) else each for each in read]
        if single:
            self._poison_guard.survived(position)
        quarantined = [mail for mail in done if isinstance(mail, _QuarantinedMail)]
        files = {mail.record.position: self._write_to_quarantine(spool_id, mail) for mail in quarantined}
        mails = [mail for mail in done if isinstance(mail, _ParsedMail)]
        # The key of a part of a split error is the same in all versions.
        unsplit = (error for mail in mails for error in mail.errors if error.split is None)
        keyed = ((error.key, error.report, error.fingerprint) for error in unsplit)
        carried = self._carry_over.carry_over(keyed, spool_id, now)
        lessons = self._learning.prepare([error for mail in mails for error in mail.errors])
        alone = lessons.alone or any(parent.merged_into is not None for parent in carried.parents.values())
        with self._ledger.ingesting(spool_id, position, version=self._versions.number, alone=alone) as tx:
            tx.book(received=len(records), parked=len(files))
            for mail in done:
                if isinstance(mail, _QuarantinedMail):
                    tx.quarantine(mail.record.position, at=now, reason=mail.reason, path=files[mail.record.position])
            self._book_mails(tx, mails, carried, lessons, now)
            self._note_bounces(tx, mails, now)
            tx.advance(records[-1].end)
            reach("ingest.commit")
        reach("ingest.committed")

    # --- Parsing ------------------------------------------------------------------------------------------------------

    def _read(self, record: Record) -> _ReadMail | _QuarantinedMail:
        """Read, redact and fingerprint one mail."""
        return self._guarded(record, lambda: self._read_mail(record))

    def _read_mail(self, record: Record) -> _ReadMail:
        reports = self._redactor.redact_all(parse_all(record, self._apps, self._ours))
        # Here, and not after the batch is read: the parsed stacks of this mail are still in the cache.
        return _ReadMail(record, reports, [] if reports[0].own else list(map(self._seen, reports)))

    def _seen(self, report: Report) -> Sight:
        return self._learning.sight_of(report, self._fingerprint(report))

    def _find_errors(self, mail: _ReadMail) -> _ParsedMail | _QuarantinedMail:
        """Find the errors that one mail reports."""
        return self._guarded(mail.record, lambda: self._parsed(mail))

    def _guarded(self, record: Record, process: Callable[[], T]) -> T | _QuarantinedMail:
        """Run a step on one mail. A mail on which it fails is quarantined."""
        self.busy_since = time.monotonic()
        try:
            return process()
        except MemoryError:
            raise  # the limit on the worker's memory: the mail counts as one that kills the worker
        except Exception as error:
            log.exception("a mail could not be processed and is parked", position=record.position)
            return _QuarantinedMail(record=record, reason=f"{type(error).__name__} while it was processed")
        finally:
            self.busy_since = None

    def _parsed(self, mail: _ReadMail) -> _ParsedMail:
        worst = mail.reports[0]
        error: ReportedError | None = None
        further: list[ReportedError] = []
        if not worst.own:
            (_, first), *others = zip(mail.reports, mail.sights, strict=True)
            error = self._error(mail.record, worst, first, mails=1)
            further = [each for pair in others if (each := self._error(mail.record, *pair, mails=0))]
        return _ParsedMail(record=mail.record, record_id=worst.record_id, own=worst.own, error=error, further=further)

    def _error(self, record: Record, report: Report, sight: Sight, *, mails: int) -> ReportedError | None:
        """Return one error of a mail with its key, or None if a rule ignores it."""
        report = self._app_names.named(report)
        found, ignored = self._rules.judge(report, sight.fingerprint)
        if ignored:
            return None
        found, split = self._splits.judge(report, found)
        key = (self._router.route(report, found.title), report.app, found.key)
        is_ruled = found.key != sight.fingerprint.key  # then nothing is learned from it
        seen = None if is_ruled else self._learning.seen(key, record.received_at, report, sight)
        return ReportedError(
            key=key, at=record.received_at, mails=mails, report=report, fingerprint=found, split=split, seen=seen
        )

    def _write_to_quarantine(self, spool_id: str, mail: _QuarantinedMail) -> str:
        """Write a parked mail to its own file. Returns the path; "" if the mail must stay in the spool."""
        try:
            path = self._quarantine.put(spool_id, mail.record)
        except SpoolError as error:
            log.warning("mail parked; it stays in the spool", reason=mail.reason, why=str(error))
            self._deferred = True
            return ""
        log.warning("mail parked", position=mail.record.position, reason=mail.reason, file=path)
        return path

    # --- Booking ------------------------------------------------------------------------------------------------------

    def _note_bounces(self, tx: IngestTransaction, mails: Sequence[_ParsedMail], now: datetime) -> None:
        """Store at the recipients that they did not get a digest."""
        for mail in mails:
            for bounce in bounces_in(mail.record, self._ours) if mail.own else ():
                if tx.bounced(bounce.recipient, bounce.reason, bounce.message, now):
                    log.warning("a digest bounced", recipient=bounce.recipient, reason=bounce.reason)

    def _book_mails(
        self, tx: IngestTransaction, mails: Sequence[_ParsedMail], carried: CarriedOver, lessons: Lessons, now: datetime
    ) -> None:
        ids = {mail.record_id for mail in mails if mail.record_id}
        new = tx.remember_records(ids, now) if ids else set()
        errors: list[ReportedError] = []
        ignored = 0
        for mail in mails:
            if mail.record_id and mail.record_id not in new:
                ignored += 1
                continue
            new.discard(mail.record_id)  # its repeat in this very batch is a repeat too
            ignored += mail.error is None
            errors += mail.errors
        learned = self._learning.learn(tx, lessons, errors, now)
        errors_by_key: dict[GroupKey, list[ReportedError]] = defaultdict(list)
        for error in learned.errors:
            errors_by_key[error.key].append(error)
        tx.book(ignored=ignored, muted=self._counting.count(tx, errors_by_key, carried, now))
        self._learning.apply(tx, learned, now)
