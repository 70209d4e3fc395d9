"""Digests that bounced: the recipients that they did not reach (base layer of the ledger, for `ingest` and `outbox`).

A bounce is stored in the delivery of its message, whose reply becomes a refusal with `BOUNCED` before its text.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from relay.ledger.schema import deliveries
from relay.model import BouncingRecipient, Delivery

_REFUSED = 400
_CODE = 550
BOUNCED = "bounced: "
"""How the text of a delivery begins whose message bounced."""
SHOW_BOUNCES_FOR = timedelta(days=7)
"""How long after its last bounce a recipient is shown. An address that works again is forgotten after it."""


def note_bounce(connection: Connection, recipient: str, reason: str, message: str, at: datetime) -> bool:
    """Store one bounce; see `IngestTransaction.bounced`."""
    sent = (deliveries.c.state == Delivery.SENT, func.lower(deliveries.c.recipient) == recipient)
    query = select(deliveries.c.outbox_id, deliveries.c.recipient).where(*sent, deliveries.c.code < _REFUSED)
    if message:
        query = query.where(deliveries.c.outbox_id == message)
    found = connection.execute(query.order_by(deliveries.c.at.desc()).limit(1)).first()
    if found is None:
        return False
    here = (deliveries.c.outbox_id == found.outbox_id, deliveries.c.recipient == found.recipient)
    values = {"code": _CODE, "text": BOUNCED + reason, "at": at}
    connection.execute(update(deliveries).where(*here).values(**values))
    return True


def read_bouncing(connection: Connection, now: datetime) -> list[BouncingRecipient]:
    """Return the recipients whose digests bounced lately, by name."""
    bounced = (
        deliveries.c.state == Delivery.SENT,
        deliveries.c.code >= _REFUSED,
        deliveries.c.at > now - SHOW_BOUNCES_FOR,
    )
    query = select(deliveries.c.recipient, deliveries.c.at, deliveries.c.text).where(*bounced)
    found: dict[str, BouncingRecipient] = {}
    for row in connection.execute(query.order_by(deliveries.c.recipient, deliveries.c.at)):
        since = found[row.recipient].since if row.recipient in found else row.at
        text = row.text.removeprefix(BOUNCED)
        found[row.recipient] = BouncingRecipient(recipient=row.recipient, since=since, last_at=row.at, text=text)
    return list(found.values())
