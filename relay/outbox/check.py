"""Check the upstream without a mail: connection, TLS and login (part of the delivery thread, beside the outbox step).

A check runs when the worker starts, and after CHECK_EVERY without a delivery or a check. While the upstream fails and
no message is queued, it runs at the times at which a message would be tried. So `/readyz` knows whether digests would
get out before the first error, and notices a repaired upstream without one.

Guarantee: no mail is sent. A queued message is a better test than a check, so a failing upstream is not checked while
one is queued: a login that works must not shorten the pauses of a message that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from relay.config import Settings
from relay.deliver import Mailbox, Upstream
from relay.errors import Interrupted
from relay.ledger import Ledger
from relay.model import UpstreamKey, UpstreamState
from relay.outbox.retry import state_after_check, state_after_failure, upstream_ready
from relay.outbox.upstream_log import log_upstream

CHECK_EVERY = timedelta(minutes=15)
"""The longest time without a delivery or a check."""
READ_STATE_EVERY = timedelta(seconds=5)
"""How often the stored state is read to find out whether a check is due."""


class UpstreamCheck:
    """The step that checks the upstream while nothing is sent. One thread calls it, the one of the outbox."""

    def __init__(
        self,
        ledger: Ledger,
        target: Upstream | Mailbox,
        settings: Settings,
        worker: str,
        jitter: Callable[[], float],
    ) -> None:
        """Take what `Outbox` takes. The local mailbox needs no check."""
        self._ledger = ledger
        self._target = target if isinstance(target, Upstream) else None
        self._retry = settings.upstream.retry_policy
        self._key = UpstreamKey(worker=worker, target=settings.upstream.target)
        self._jitter = jitter
        self._never_checked = True
        self._next_look: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Check the upstream if that is due; return whether it was. Raises LedgerBusy: the next step tries again."""
        if self._target is None or self._looked_just_now(now):
            return False
        state = self._ledger.upstream(self._key)
        if not self._due(state, now):
            return False
        began = monotonic()
        try:
            attempt = self._target.check()
        except Interrupted:
            return False
        self._never_checked = False
        now += timedelta(seconds=int(monotonic() - began))
        if attempt.failure:
            after = state_after_failure(
                state, attempt.failure, attempt.detail, retry=self._retry, jitter=self._jitter(), now=now
            )
        else:
            after = state_after_check(state, now)
        self._ledger.save_upstream(self._key, after)
        log_upstream(state, after)
        return True

    def _looked_just_now(self, now: datetime) -> bool:
        """Whether the state was read less than READ_STATE_EVERY ago; the clock may have been set back since."""
        if self._next_look and self._next_look - READ_STATE_EVERY <= now < self._next_look:
            return True
        self._next_look = now + READ_STATE_EVERY
        return False

    def _due(self, state: UpstreamState, now: datetime) -> bool:
        if self._never_checked or state.last_try_at is None:
            return True
        if state.failures:
            return upstream_ready(state, now) and self._ledger.next_try_at() is None
        return not timedelta(0) <= now - state.last_try_at < CHECK_EVERY
