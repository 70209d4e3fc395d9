"""Put a rendered digest into the outbox (base layer of the ledger, called by `DigestTransaction.enqueue`)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, update

from relay.errors import LedgerError
from relay.ledger.recipients import free_recipients
from relay.ledger.rows import chunks, entry_json
from relay.ledger.schema import (
    IS_DEFERRED,
    IS_UNREPORTED,
    bodies,
    deliveries,
    entries,
    groups,
    messages,
    routes,
)
from relay.ledger.upsert import upsert
from relay.model import Delivery, Digest, MessageKind, MessageState, Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedDigest:
    """A rendered digest with its queued and deferred recipients: `DigestTransaction.enqueue` explains each part."""

    digest: Digest
    rendered: Rendered
    queued: frozenset[str]
    deferred: frozenset[str]
    covers: frozenset[str]
    dead: frozenset[str]
    news_step: int | None = None

    def __post_init__(self) -> None:
        if not self.queued or self.queued & self.deferred or self.queued | self.deferred != set(self.digest.recipients):
            raise ValueError("each recipient of a digest is either queued or deferred, and at least one is queued")
        if (self.digest.kind is MessageKind.CATCH_UP) is not bool(self.covers):
            raise ValueError("a catch-up digest covers messages, and no other kind does")
        if self.covers and self.deferred:
            raise ValueError("a catch-up digest defers no recipient")


def enqueue(connection: Connection, posting: EnqueuedDigest) -> None:
    """Store the message with all that belongs to it. Raises LedgerError if a queued recipient is not free."""
    digest = posting.digest
    busy = posting.queued - free_recipients(connection, digest.route, posting.queued)
    if busy:
        raise LedgerError(f"{len(busy)} of the recipients queued on route {digest.route!r} still have a message queued")
    _store(connection, posting)
    _cover(connection, posting)
    for chunk in chunks(posting.dead):
        unreported = update(messages).where(messages.c.id.in_(chunk), IS_UNREPORTED)
        connection.execute(unreported.values(told_by=digest.id))
    if digest.kind is MessageKind.DIGEST:
        _save_route(connection, posting)
        _begin_thread(connection, posting)


def _save_route(connection: Connection, posting: EnqueuedDigest) -> None:
    digest = posting.digest
    state: dict[str, object] = {"last_digest_at": digest.created_at}
    if posting.news_step is not None:
        state |= {"last_news_at": digest.created_at, "news_step": posting.news_step}
    connection.execute(upsert(connection, routes, put=state.keys()), {"route": digest.route, **state})


def _store(connection: Connection, posting: EnqueuedDigest) -> None:
    digest, rendered = posting.digest, posting.rendered
    connection.execute(
        insert(messages),
        {
            "id": digest.id,
            "kind": digest.kind,
            "route": digest.route,
            "created_at": digest.created_at,
            "queued_at": digest.created_at,
            "message_id": rendered.message_id,
            "subject": rendered.subject,
            "state": MessageState.OPEN,
            "mails": digest.mails,
            "occurrences": digest.occurrences,
            "next_try_at": digest.created_at,
        },
    )
    connection.execute(insert(bodies), {"outbox_id": digest.id, "raw": rendered.raw})
    rows = [
        {
            "outbox_id": digest.id,
            "recipient": recipient,
            "route": digest.route,
            "state": Delivery.QUEUED if recipient in posting.queued else Delivery.DEFERRED,
            "at": digest.created_at,
        }
        for recipient in digest.recipients
    ]
    connection.execute(insert(deliveries), rows)
    rows = [
        {"outbox_id": digest.id, "number": number, "entry": entry_json(entry)}
        for number, entry in enumerate(digest.entries)
    ]
    if rows:
        connection.execute(insert(entries), rows)


def _cover(connection: Connection, posting: EnqueuedDigest) -> None:
    covered = 0
    for chunk in chunks(posting.covers):
        waiting = (IS_DEFERRED, deliveries.c.outbox_id.in_(chunk), deliveries.c.recipient.in_(posting.queued))
        statement = update(deliveries).where(*waiting)
        values = {"state": Delivery.COVERED, "covered_by": posting.digest.id, "at": posting.digest.created_at}
        covered += connection.execute(statement.values(**values)).rowcount
    if posting.covers and not covered:
        raise LedgerError("a catch-up digest covers messages that have no deferred recipient")


def _begin_thread(connection: Connection, posting: EnqueuedDigest) -> None:
    if len(posting.digest.failures) == 1:
        alone = update(groups).where(groups.c.id == posting.digest.failures[0].group_id, groups.c.thread == "")
        connection.execute(alone.values(thread=posting.rendered.message_id))
