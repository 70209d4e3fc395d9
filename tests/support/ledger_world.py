"""Short builders of groups, entries and digests for tests of the ledger, and the steps of a worker as one call each."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.ledger import Ledger, Outcome
from relay.model import (
    Books,
    Delivery,
    Digest,
    Entry,
    Form,
    Group,
    GroupKey,
    Level,
    MessageKind,
    MessageState,
    OutboxMessage,
    Phase,
    Reason,
    Rendered,
    Report,
    Sample,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TTL = 10 * MINUTE
SPOOL = "a" * 32
ADA, BOB = "ada@example.com", "bob@example.com"
ROUTE = "admins"
BOOKS = Books(at=NOON, received=0, reported=0, pending=0, muted=0, ignored=0, parked=0, undelivered=0)


def key(name: str, route: str = ROUTE) -> GroupKey:
    return (route, "shop", name)


def fresh(name: str, *, mails: int = 1, at: datetime = NOON, route: str = ROUTE) -> Group:
    """A new group: all its mails are pending, and it is due at once."""
    return Group(
        route=route,
        app="shop",
        fingerprint=name,
        version=1,
        title=f"{name} in checkout",
        level=Level.ERROR,
        first_seen=at,
        last_seen=at,
        mails=mails,
        occurrences=mails,
        pending_mails=mails,
        pending_occurrences=mails,
        pending_since=at,
        episode_since=at,
        episode_occurrences=mails,
        due_at=at,
    )


def more(group: Group, mails: int, at: datetime = NOON) -> Group:
    """The group after more mails."""
    return replace(
        group,
        mails=group.mails + mails,
        occurrences=group.occurrences + mails,
        pending_mails=group.pending_mails + mails,
        pending_occurrences=group.pending_occurrences + mails,
        pending_since=group.pending_since or at,
        last_seen=max(group.last_seen, at),
        due_at=group.due_at or at,
    )


def reported(group: Group, at: datetime = NOON) -> Group:
    """The group after a digest."""
    return replace(
        group,
        phase=Phase.OPEN,
        reported_at=at,
        pending_mails=0,
        pending_occurrences=0,
        pending_since=None,
        due_at=None,
    )


def report(message: str = "it broke") -> Report:
    return Report(form=Form.DOCUMENTED, subject="Failed", sender="app@example.com", app="shop", message=message)


def sample(message: str, at: datetime = NOON) -> Sample:
    return Sample(at=at, report=report(message))


def entry(group: Group) -> Entry:
    return Entry(
        group_id=group.id,
        reason=Reason.NEW,
        app=group.app,
        title=group.title,
        level=group.level,
        mails=group.pending_mails,
        occurrences=group.pending_occurrences,
        since=group.pending_since or group.last_seen,
        until=group.last_seen,
        rate=1.5,
        rate_before=0.0,
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        seen_before=None,
        total_occurrences=group.occurrences,
        episode_occurrences=group.episode_occurrences,
        episode_since=group.first_seen,
        peak=group.peak,
        timeline=None,
        sample=None,
    )


def digest(
    entries: Collection[Entry] = (),
    recipients: Collection[str] = (ADA,),
    *,
    kind: MessageKind = MessageKind.DIGEST,
    at: datetime = NOON,
    route: str = ROUTE,
) -> Digest:
    return Digest(
        id=secrets.token_hex(16),
        kind=kind,
        route=route,
        recipients=tuple(recipients),
        created_at=at,
        entries=tuple(entries),
        books=BOOKS,
    )


def rendered(of: Digest) -> Rendered:
    return Rendered(
        message_id=f"<{of.id}@relay>", subject=f"[shop] {len(of.entries)} errors", raw=b"Subject: x\r\n\r\n"
    )


# --- Steps ------------------------------------------------------------------------------------------------------------


def ingest(
    ledger: Ledger, mails: Mapping[str, int], *, spool: str = SPOOL, at: datetime = NOON, route: str = ROUTE
) -> None:
    """Ingest one batch. `mails` gives the number of mails of each error."""
    position = ledger.cursor(spool)
    keys = {key(name, route): (name, number) for name, number in mails.items()}
    with ledger.ingesting(spool, position) as tx:
        known = tx.groups(keys)
        after = []
        for each, (name, number) in keys.items():
            group = known.get(each)
            after.append(more(group, number, at) if group else fresh(name, mails=number, at=at, route=route))
        for each, group in tx.save(after).items():
            tx.count(group.id, {at: keys[each][1]})
            tx.sample(group.id, sample("it broke", at))
        tx.book(received=sum(mails.values()))
        tx.advance(position + sum(mails.values()))


def enqueue_pending(
    ledger: Ledger,
    queued: Collection[str] = (ADA,),
    deferred: Collection[str] = (),
    *,
    at: datetime = NOON,
    dead: Collection[str] = (),
    route: str = ROUTE,
) -> str:
    """Enqueue one digest about all that is pending. Returns its id."""
    with ledger.digesting("schedule", lease_token(ledger, at)) as tx:
        groups = tx.pending_groups(route)
        news = digest([entry(group) for group in groups], [*queued, *deferred], at=at, route=route)
        tx.enqueue(news, rendered(news), queued=queued, deferred=deferred, dead=dead)
        tx.save([reported(group, at) for group in groups])
    return news.id


PLAIN = "From: relay@example.com\r\n{message_id}Subject: news\r\n\r\nnews\r\n"


def enqueue_digest(
    ledger: Ledger, *recipients: str, mails: int = 3, route: str = ROUTE, at: datetime = NOON, raw: str = PLAIN
) -> str:
    """Ingest `mails` mails about one error and enqueue a digest of them that can really be sent. Returns its id."""
    ingest(ledger, {f"error on {route}": mails}, at=at, route=route)
    with ledger.digesting("schedule", lease_token(ledger, at)) as tx:
        groups = tx.pending_groups(route)
        news = digest([entry(group) for group in groups], recipients or (ADA,), at=at, route=route)
        message_id = f"<{news.id}@relay.test>"
        mail = raw.replace("{message_id}", f"Message-ID: {message_id}\r\n")
        mail = mail.replace("Subject: news", f"Subject: {route}")
        message = Rendered(message_id=message_id, subject=route, raw=mail.encode())
        tx.enqueue(news, message, queued=recipients or (ADA,))
        tx.save([reported(group, at) for group in groups])
    return news.id


def catch_up(ledger: Ledger, recipient: str, *, at: datetime = NOON, route: str = ROUTE) -> str:
    """Enqueue one catch-up digest about all that was deferred for a recipient. Returns its id."""
    with ledger.digesting("schedule", lease_token(ledger, at)) as tx:
        covers = tx.deferred_messages(route, recipient)
        news = digest(tx.entries(covers), [recipient], kind=MessageKind.CATCH_UP, at=at, route=route)
        tx.enqueue(news, rendered(news), queued=[recipient], covers=covers)
    return news.id


def lease_token(ledger: Ledger, at: datetime = NOON) -> int:
    """Take the lease of the digest step. Returns its token."""
    token = ledger.lease("schedule", "worker", at, TTL)
    assert token is not None
    return token


def send(
    ledger: Ledger, outcomes: Mapping[str, Delivery], *, at: datetime = NOON
) -> tuple[OutboxMessage, MessageState]:
    """Claim the next message and settle it with `outcomes`. A recipient without an outcome is queued again."""
    message = ledger.claim_message("worker", at, TTL)
    assert message is not None
    outcome = Outcome(
        sent=frozenset(each for each in message.recipients if outcomes.get(each) is Delivery.SENT),
        refused=frozenset(each for each in message.recipients if outcomes.get(each) is Delivery.REFUSED),
        next_try_at=at + MINUTE,
        tries=message.tries + 1,
        refusals=message.refusals,
        ambiguous=False,
    )
    return message, ledger.settle(message, outcome, at)


SENT = {ADA: Delivery.SENT, BOB: Delivery.SENT}
REFUSED = {ADA: Delivery.REFUSED, BOB: Delivery.REFUSED}


def states(ledger: Ledger, outbox_id: str) -> tuple[MessageState, dict[str, Delivery]]:
    """The state of a message, and of each of its deliveries by recipient."""
    message = ledger.message(outbox_id)
    assert message is not None
    return message.state, {each.recipient: each.state for each in message.deliveries}


def figures(ledger: Ledger) -> dict[str, int]:
    """The figures of the books that are not zero. Fails unless the books balance."""
    books = ledger.books(NOON)
    assert books.balanced, books
    names = ("received", "reported", "pending", "muted", "ignored", "parked", "undelivered")
    return {name: value for name in names if (value := getattr(books, name))}
