"""Stubs: rows of `groups` by which workers with an earlier fingerprint version find a known error (base of the ledger).

Such a worker looks an error up under the key of its own version alone. While it shares the ledger, each error has a row
under that key too. A stub counts nothing and is never reported. The first mail that such a worker adds makes it a group
that goes on (`Phase.ENDED` until then), and not a new error.
"""

from __future__ import annotations

from dataclasses import replace

from relay.model import Group, GroupKey, Phase


def stub_of(group: Group, key: GroupKey, version: int) -> Group:
    """Return the stub of `group` for its key under an earlier version."""
    route, app, fingerprint = key
    return Group(
        route=route,
        app=app,
        fingerprint=fingerprint,
        version=version,
        title=group.title,
        level=group.level,
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        phase=Phase.ENDED,
        step=group.step,
        reported_at=group.reported_at or group.last_seen,
        reported_rate=group.reported_rate,
        episode_since=group.episode_since,
        muted_since=group.muted_since,
        muted_until=group.muted_until,
        mute_above=group.mute_above,
    )


def is_stub(group: Group) -> bool:
    """Whether the row counts nothing: no worker with an earlier version has added a mail to it."""
    return group.occurrences == 0


def refreshed(row: Group, group: Group) -> Group:
    """Return the row of a former key after a mail of its error: it was seen last when `group` was.

    A group that has something to report or to close is unchanged.
    """
    if is_stub(row):
        current = stub_of(group, (row.route, row.app, row.fingerprint), row.version)
        return replace(current, id=row.id)
    quiet = row.phase is Phase.ENDED and not row.pending_occurrences
    return replace(row, last_seen=max(row.last_seen, group.last_seen)) if quiet else row
