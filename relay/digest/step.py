"""The worker's step: looks once a second at most, under a lease, and logs what was frozen."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from relay.compose.render import Renderer
from relay.config import Settings
from relay.digest.letters import DigestWriter, EnqueuedDigest
from relay.digest.removed import removed_recipients, removed_routes
from relay.digest.tick import Tick
from relay.errors import LeaseLost
from relay.failpoint import reach
from relay.ledger import Ledger

log = structlog.get_logger()

LEASE = "schedule"
LEASE_FOR = timedelta(seconds=10)
"""After this long without a sign of life another worker may take over; safety does not rest on it (fencing)."""
LOOK_EVERY = timedelta(seconds=1)
"""Nothing that is told is more urgent, and no mail is sorted while we look."""
MANY, LOOK_SELDOM = 1_000, timedelta(seconds=10)
"""Where so many groups are due and may not be told (the upstream is down), looking is no longer cheap."""


class Digests:
    """The step that turns what is pending into letters."""

    def __init__(self, ledger: Ledger, renderer: Renderer, settings: Settings, holder: str) -> None:
        """`holder` names this worker, as no other one is named."""
        self._ledger = ledger
        self._renderer = renderer
        self._settings = settings
        self._holder = holder
        self._token: int | None = None
        self._leased_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._pause = LOOK_EVERY
        self._strangers: list[tuple[str, str]] | None = None
        self._gone: list[str] = []

    def step(self, now: datetime, *, caught_up: bool = True) -> bool:
        """Freeze what is due; False where nothing was, another worker does it, or the last look was just now.

        `caught_up` is whether everything that was received is sorted: only then can an error have ended.
        Raises LedgerBusy (nothing was lost, the next step does it again), LedgerError, TemplateError (even our own
        templates failed on what is to be told).
        """
        if _within(self._looked_at, self._pause, now):
            return False
        self._looked_at = now
        if not self._lease(now):
            return False
        self._look_back()
        upstream = self._ledger.upstream()
        try:
            with self._ledger.digesting(LEASE, self._token or 0) as tx:
                letters = DigestWriter(tx, self._renderer, self._settings, now)
                tick = Tick(tx, letters, self._settings, now, caught_up=caught_up)
                tick.run(upstream, self._strangers or (), self._gone)
                if letters.frozen:
                    reach("digest.freeze")
        except LeaseLost:
            self._token = None
            return False
        self._pause = LOOK_SELDOM if tick.due > MANY and not letters.frozen else LOOK_EVERY
        for frozen in letters.frozen:
            reach("digest.frozen")
            _log(frozen)
        return bool(letters.frozen)

    def _look_back(self) -> None:
        """Find what an earlier configuration left behind, until there is none of it: a letter may be on its way."""
        if self._strangers is None:
            self._gone = removed_routes(self._ledger, self._settings.routes)
        if self._strangers is None or self._strangers:
            self._strangers = removed_recipients(self._ledger, self._settings.routes)

    def _lease(self, now: datetime) -> bool:
        """Hold the lease for this step, renewed in time."""
        if self._token is None or not _within(self._leased_at, LEASE_FOR / 3, now):
            self._token = self._ledger.lease(LEASE, self._holder, now, LEASE_FOR)
            self._leased_at = now
        return self._token is not None


def _within(before: datetime | None, pause: timedelta, now: datetime) -> bool:
    """Whether `now` is in the pause after a moment; one that is still to come (the clock was set back) has none."""
    return before is not None and timedelta(0) <= now - before < pause


def _log(frozen: EnqueuedDigest) -> None:
    digest, rendered = frozen
    for fault in rendered.faults:
        log.warning("a template of your own was not used", fault=fault)
    log.info(
        "digest frozen",
        digest=digest.id,
        kind=digest.kind.value,
        route=digest.route,
        reasons=sorted({entry.reason.value for entry in digest.entries}),
        errors=len(digest.entries),
        mails=digest.mails,
        occurrences=digest.occurrences,
    )
