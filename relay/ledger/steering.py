"""The transaction in which an administrator's command is carried out, and the audit log (commands → ledger).

Guarantee: no other writer changes anything while a command is carried out, and its change and its audit record are
written together or not at all. So of two people who act on one error at once, the second finds what the first did.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.members import MemberRows
from relay.ledger.rows import save_groups
from relay.ledger.steering_schema import audit, audit_groups, splits
from relay.model import AuditRecord, Group, SplitRule


class SteeringTransaction:
    """Change errors, and record who did it and why."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.merges = MemberRows(connection)

    def save(self, changed: Iterable[Group]) -> None:
        """Write groups that this transaction has read."""
        save_groups(self._connection, changed)

    def record(self, entry: AuditRecord, groups: Iterable[int] = ()) -> int:
        """Add an entry about these groups to the audit log; return its id."""
        return record(self._connection, entry, groups)

    def splits(self) -> list[SplitRule]:
        """Return all split rules, oldest first."""
        return _splits(self._connection)

    def add_split(self, rule: SplitRule) -> None:
        """Store a split rule."""
        values = asdict(rule)
        del values["id"]
        self._connection.execute(insert(splits).values(**values))

    def drop_split(self, rule: SplitRule) -> None:
        """Delete a split rule."""
        self._connection.execute(delete(splits).where(splits.c.id == rule.id))

    def audit_of(self, group_ids: Iterable[int], since: datetime) -> list[AuditRecord]:
        """Return what was done to these groups since a time, oldest first."""
        query = select(audit).where(audit.c.id.in_(_about(group_ids)), audit.c.at >= since)
        return _records(self._connection, query.order_by(audit.c.id))


class Steering(Database):
    """The part of the ledger for commands."""

    @contextmanager
    def steering(self) -> Iterator[SteeringTransaction]:
        """Run one transaction for a command: commit at the end of the block, roll back on an exception."""
        with self._write(WriteMode.EXCLUSIVE) as connection:
            yield SteeringTransaction(connection)

    def splits(self) -> list[SplitRule]:
        """Return all split rules, oldest first."""
        with self._read() as connection:
            return _splits(connection)

    def audit(
        self, *, group_ids: Iterable[int] | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[AuditRecord]:
        """Return entries of the audit log, newest first: of these groups, since a time."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if group_ids is not None:
            query = query.where(audit.c.id.in_(_about(group_ids)))
        if since is not None:
            query = query.where(audit.c.at >= since)
        with self._read() as connection:
            return _records(connection, query)


def _splits(connection: Connection) -> list[SplitRule]:
    rows = connection.execute(select(splits).order_by(splits.c.id)).mappings()
    return [SplitRule(**row) for row in rows]


def record(connection: Connection, entry: AuditRecord, group_ids: Iterable[int] = ()) -> int:
    """Add an entry to the audit log, about its own group and these ones; return its id."""
    values: dict[str, Any] = {"at": entry.at, "author": entry.author, "action": entry.action}
    values |= {"group_id": entry.group_id, "route": entry.route, "reason": entry.reason, "summary": entry.summary}
    values["details"] = json.dumps(dict(entry.details))
    number: int = connection.execute(insert(audit).values(**values).returning(audit.c.id)).scalar_one()
    about = {entry.group_id, *group_ids} - {None}
    if about:
        rows = [{"group_id": group_id, "audit_id": number} for group_id in about]
        connection.execute(insert(audit_groups), rows)
    return number


def _about(group_ids: Iterable[int]) -> Select[Any]:
    return select(audit_groups.c.audit_id).where(audit_groups.c.group_id.in_(set(group_ids)))


def audit_of_route(
    connection: Connection, route: str, since: datetime | None, actions: Collection[str], limit: int
) -> list[AuditRecord]:
    """Return these actions on errors of a route after a time, oldest first."""
    query = select(audit).where(audit.c.route == route, audit.c.action.in_(sorted(actions)))
    if since is not None:
        query = query.where(audit.c.at > since)
    return _records(connection, query.order_by(audit.c.at, audit.c.id).limit(limit))


def _records(connection: Connection, query: Select[Any]) -> list[AuditRecord]:
    return [_record_of(row) for row in connection.execute(query)]


def _record_of(row: Row[Any]) -> AuditRecord:
    details: Mapping[str, Any] = json.loads(row.details)
    return AuditRecord(
        id=row.id, at=row.at, author=row.author, action=row.action, group_id=row.group_id, route=row.route,
        reason=row.reason, summary=row.summary, details=details,
    )  # fmt: skip
