"""Count mails into groups as the ingest step does, and merge and unmerge these groups by name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from relay.commands.joining import join_groups, separate
from relay.grouping.versions import Versions
from relay.ingest.carry_over import CarriedOver
from relay.ingest.counting import Counting, ReportedError
from relay.ledger import Ledger
from relay.ledger.steering_schema import kept_apart as kept_apart_table
from relay.model import Fingerprint, Form, MergedBy, Reason, Report, Timing
from relay.schedule.group import mark_reported
from tests.support.ledger_world import NOON, ROUTE, SPOOL, digest, entry, lease_token, rendered

TIMING = Timing()
NOTHING_CARRIED = CarriedOver()
_VERSIONS = Versions(current=lambda report: Fingerprint(version=1, key=report.message, title=report.message), number=1)


def count_mails(
    ledger: Ledger,
    mails: Mapping[str, int],
    *,
    at: datetime = NOON,
    spool: str = SPOOL,
    app: str = "shop",
    route: str = ROUTE,
    carried: CarriedOver = NOTHING_CARRIED,
) -> int:
    """Ingest one batch: so many mails of each error, by the name that is its fingerprint. Returns the muted ones."""
    counting = Counting({route: TIMING}, _VERSIONS)
    errors = {(route, app, name): [_error(name, at, app, route)] * number for name, number in mails.items()}
    position = ledger.cursor(spool)
    with ledger.ingesting(spool, position, alone=bool(carried.parents)) as tx:
        muted = counting.count(tx, errors, carried, at)
        tx.book(received=sum(mails.values()), muted=muted)
        tx.advance(position + sum(mails.values()))
    return muted


def _error(name: str, at: datetime, app: str, route: str) -> ReportedError:
    report = Report(form=Form.DOCUMENTED, subject="Failed", sender="app@example.com", app=app, message=name)
    found = Fingerprint(version=1, key=name, title=name)
    return ReportedError(key=(route, app, name), at=at, mails=1, report=report, fingerprint=found)


def ids_by_name(ledger: Ledger) -> dict[str, int]:
    """The id of every group, parts too, by its fingerprint."""
    members = (each for group in ledger.groups(limit=1_000) for each in ledger.members(group.id))
    return {each.group.fingerprint: each.group.id for each in members}


def merge_by_name(ledger: Ledger, face: str, part: str, *, author: str = "anna", at: datetime = NOON) -> None:
    """Merge the error of `part` into that of `face`."""
    ids = ids_by_name(ledger)
    with ledger.steering() as tx:
        by = MergedBy(author=author, reason="the same bug", at=at)
        join_groups(tx.merges, ids[face], ids[part], by, TIMING, now=at)


def unmerge_by_name(ledger: Ledger, part: str, *, at: datetime = NOON) -> None:
    """Take a part out of its error."""
    number = ids_by_name(ledger)[part]
    with ledger.steering() as tx:
        face = tx.merges.face(number)
        assert face is not None
        separate(tx.merges, face.group.id, [number], TIMING, now=at)


def kept_apart(ledger: Ledger) -> set[int]:
    """The groups that learning must not merge."""
    with ledger._read() as connection:
        return set(connection.scalars(select(kept_apart_table.c.group_id)))


def report_pending(ledger: Ledger, at: datetime, *, route: str = ROUTE) -> dict[str, int]:
    """Enqueue a digest about all that is pending; return the pending mails of each error, by its fingerprint."""
    with ledger.digesting("schedule", lease_token(ledger, at)) as tx:
        groups = tx.pending_groups(route)
        if groups:
            news = digest(
                [entry(group) for group in groups], [f"{secrets.token_hex(4)}@example.com"], at=at, route=route
            )
            tx.enqueue(news, rendered(news), queued=news.recipients)
            tx.save([mark_reported(group, Reason.ONGOING, TIMING, at) for group in groups])
    return {group.fingerprint: group.pending_mails for group in groups}
