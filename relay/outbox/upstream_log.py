"""The log lines about the upstream: it failed, it works again (outbox step and upstream check)."""

from __future__ import annotations

import structlog

from relay.model import UpstreamState
from relay.outbox.advice import advice_on_failure

log = structlog.get_logger()


def log_upstream(before: UpstreamState, after: UpstreamState) -> None:
    """Log one line if the upstream failed or works again."""
    if after.failures and after.failure:
        log.warning(
            "the upstream failed; messages wait",
            failure=after.failure.value,
            detail=after.detail,
            advice=advice_on_failure(after.failure, after.detail),
            failures=after.failures,
            next_try_at=str(after.next_try_at),
        )
    elif before.failures:
        log.info("the upstream works again", down_since=str(before.failing_since), failures=before.failures)
