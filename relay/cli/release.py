"""Let waiting messages go out at once, because what they waited for has changed (`send-test`, `login` → ledger)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from relay.clock import utc_now
from relay.errors import LedgerError

if TYPE_CHECKING:
    from relay.config import Settings
    from relay.model import UpstreamState


def release_waiting(settings: Settings) -> int:
    """Store that the upstream works, and make every waiting message due; return how many. 0 without a ledger."""
    from relay.outbox.retry import state_after_success

    return _release(settings, state_after_success)


def end_pause(settings: Settings) -> int:
    """End the pause of the upstream, and make every waiting message due; return how many. 0 without a ledger."""
    return _release(settings, lambda state, _now: replace(state, next_try_at=None))


def _release(settings: Settings, after: Callable[[UpstreamState, datetime], UpstreamState]) -> int:
    from relay.data_dir import DataDir
    from relay.ledger import Ledger, sqlite_file
    from relay.service.waker import wake_worker
    from relay.service.worker_name import upstream_key

    file = sqlite_file(settings.storage.ledger_url)
    if file is not None and not file.exists():
        return 0
    try:
        with contextlib.closing(Ledger.open(settings.storage.ledger_url, create=False)) as ledger:
            now = utc_now()
            key = upstream_key(settings)
            ledger.save_upstream(key, after(ledger.upstream(key), now))
            waiting = ledger.try_now(now)
    except LedgerError as error:
        click.echo(f"waiting messages are not sent now: {error}", err=True)
        return 0
    wake_worker(DataDir(settings.storage.data_dir).wakeup)
    return waiting
