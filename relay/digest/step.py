"""The digest step of the worker: checks for due groups at most once a second, under a lease (ledger → outbox).

While nothing is due, a check is one light query, without lease and transaction, and `next_step_at` says when something
will be.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from relay.compose.render import Renderer
from relay.config import Settings
from relay.digest.removed import removed_recipients, removed_routes
from relay.digest.tick import Tick
from relay.digest.writer import DigestWriter, RenderedDigest
from relay.errors import LeaseLost
from relay.failpoint import reach
from relay.ledger import Ledger
from relay.model import UpstreamKey

log = structlog.get_logger()

LEASE = "schedule"
LEASE_FOR = timedelta(seconds=10)
"""If the lease is not renewed for this long, another worker can take over. Safety rests on the fencing token instead.
"""
CHECK_EVERY = timedelta(seconds=1)
"""No report is more urgent than this, and the ingest step waits during a check."""
FULL_CHECK_EVERY = timedelta(minutes=1)
"""A full check is made this often even if nothing is due: groups can be stranded by a clock that was set back."""
MANY_DUE, CHECK_SELDOM = 1_000, timedelta(seconds=10)
"""A check is expensive if more groups than this are due but cannot be reported (the upstream is down)."""


class Digests:
    """The step that turns pending mails into messages of the outbox."""

    def __init__(self, ledger: Ledger, renderer: Renderer, settings: Settings, holder: str) -> None:
        """`holder` is the name of this worker, unique among the workers of the ledger."""
        self._ledger = ledger
        self._renderer = renderer
        self._settings = settings
        self._holder = holder
        self._upstream_key = UpstreamKey(worker=holder, target=settings.upstream.target)
        self._token: int | None = None
        self._leased_at: datetime | None = None
        self._checked_at: datetime | None = None
        self._fully_checked_at: datetime | None = None
        self._pause = CHECK_EVERY
        self.next_step_at: datetime | None = None
        """When the next step has something to do, as far as the last one knows; None if that is not foreseeable."""
        self._removed_recipients: list[tuple[str, str]] | None = None
        self._removed_routes: list[str] = []

    def step(self, now: datetime, *, caught_up: bool = True) -> bool:
        """Enqueue the digests that are due. False if none was, another worker has the lease, or it is too early.

        `caught_up` is whether every received mail is ingested: only then can an error have ended.
        Raises LedgerBusy (nothing is lost, the next step tries again), LedgerError, TemplateError (even the built-in
        templates failed on a digest).
        """
        if self._checked_at and _within(self._checked_at, self._pause, now):
            self.next_step_at = self._checked_at + self._pause
            return False
        self._checked_at = now
        if self._is_idle(now):
            return False
        self._fully_checked_at = now
        enqueued = self._check(now, caught_up=caught_up)
        self.next_step_at = now + self._pause
        return enqueued

    def _is_idle(self, now: datetime) -> bool:
        """Return whether nothing is due and nobody waits for a catch-up digest; then set `next_step_at`."""
        if self._removed_recipients or not _within(self._fully_checked_at, FULL_CHECK_EVERY, now):
            return False
        due = self._ledger.next_due_at()
        if (due and due <= now) or self._ledger.has_deferred():
            return False
        self.next_step_at = due
        return True

    def _check(self, now: datetime, *, caught_up: bool) -> bool:
        """Enqueue the digests that are due, under the lease; return whether there was one."""
        if not self._lease(now):
            return False
        self._find_removed()
        upstream = self._ledger.upstream(self._upstream_key)
        try:
            with self._ledger.digesting(LEASE, self._token or 0) as tx:
                writer = DigestWriter(tx, self._renderer, self._settings, now)
                tick = Tick(tx, writer, self._settings, now, caught_up=caught_up)
                tick.run(upstream, self._removed_recipients or (), self._removed_routes)
                if writer.written:
                    reach("digest.enqueue")
        except LeaseLost:
            self._token = None
            return False
        self._pause = CHECK_SELDOM if tick.due_count > MANY_DUE and not writer.written else CHECK_EVERY
        for each in writer.written:
            reach("digest.enqueued")
            _log(each)
        return bool(writer.written)

    def _find_removed(self) -> None:
        """Look up removed routes once, and removed recipients until they have no unsent message left.

        A message that is being delivered cannot be given up yet, so one look is not enough.
        """
        if self._removed_recipients is None:
            self._removed_routes = removed_routes(self._ledger, self._settings.all_routes)
        if self._removed_recipients is None or self._removed_recipients:
            self._removed_recipients = removed_recipients(self._ledger, self._settings.all_routes)

    def _lease(self, now: datetime) -> bool:
        """Hold the lease for this step; renew it well before it runs out. False if another worker holds it."""
        if self._token is None or not _within(self._leased_at, LEASE_FOR / 3, now):
            self._token = self._ledger.lease(LEASE, self._holder, now, LEASE_FOR)
            self._leased_at = now
        return self._token is not None


def _within(before: datetime | None, pause: timedelta, now: datetime) -> bool:
    """Whether `now` is less than `pause` after `before`. False if `before` lies in the future (clock set back)."""
    return before is not None and timedelta(0) <= now - before < pause


def _log(each: RenderedDigest) -> None:
    digest, rendered = each
    for fault in rendered.faults:
        log.warning("a custom template failed; the built-in one was used", fault=fault)
    log.info(
        "digest enqueued",
        digest=digest.id,
        kind=digest.kind.value,
        route=digest.route,
        reasons=sorted({entry.reason.value for entry in digest.entries}),
        errors=len(digest.entries),
        mails=digest.mails,
        occurrences=digest.occurrences,
    )
