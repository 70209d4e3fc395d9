"""Which clients are connected, and which one is closed first when there are too many: the longest idle one.

A client is idle while we wait for it and it has no open transaction. A client in a transaction is at work, unless it
has sent nothing for `STALLED_AFTER` seconds. A client at work is never closed for another one.

A TLS handshake counts as idle time. During its first `HANDSHAKE_GRACE` seconds it is closed only if all places are
taken, not because its address has too many connections: if many handshakes from one address run at once, each takes
longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

STALLED_AFTER = 30.0
HANDSHAKE_GRACE = 5.0
"""Seconds for which a handshake does not give way to other clients of its address."""


class Client(Protocol):
    """A connection, as the admission sees it."""

    peer: str

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the reply to DATA."""

    @property
    def in_handshake(self) -> bool:
        """True while a TLS handshake is running."""

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if the client exceeded a time limit at loop time `now`."""

    def close_with(self, reply: bytes) -> None:
        """Send `reply` and close the connection."""

    def abort(self) -> None:
        """Close the connection without a reply."""


class Admission:
    """The connections of one receiver: at most `limit`, and `per_client` from one address. Times are loop times."""

    def __init__(self, limit: int, per_client: int) -> None:
        self.change(limit, per_client)
        self._present: dict[Client, str] = {}
        self._addresses: Counter[str] = Counter()
        self._waiting: dict[Client, float] = {}
        """Clients that we wait for, and the loop time since when; the longest wait is first."""

    def change(self, limit: int, per_client: int) -> None:
        """Apply other limits from now on; present connections stay."""
        self._limit, self._per_client = limit, per_client

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Client]:
        return iter(tuple(self._present))

    @property
    def full(self) -> bool:
        """True if one connection must end before another one can be accepted."""
        return len(self._present) >= self._limit

    def is_full_for(self, address: str) -> bool:
        """True if `address` has so many connections that one of them should be closed. It may be a proxy or Docker."""
        return self._addresses[address] >= self._per_client

    def add(self, client: Client) -> None:
        """Register a connection."""
        self._present[client] = client.peer
        self._addresses[client.peer] += 1

    def remove(self, client: Client) -> None:
        """Remove a connection; does nothing if it is not registered."""
        address = self._present.pop(client, None)
        if address is None:
            return
        self._waiting.pop(client, None)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def note_waiting(self, client: Client, now: float) -> None:
        """Note that we wait for the client from `now` on. Does nothing if the client is already removed."""
        if client in self._present:
            self._waiting.pop(client, None)
            self._waiting[client] = now

    def note_working(self, client: Client) -> None:
        """Note that the client waits for us."""
        self._waiting.pop(client, None)

    def idle(self) -> list[Client]:
        """Clients that we wait for and that have no open transaction, longest wait first."""
        return [client for client in self._waiting if not client.in_transaction]

    def has_sender_since(self, since: float) -> bool:
        """True if we wait for a client in a transaction, and that wait began at `since` or later."""
        for client, at in reversed(self._waiting.items()):
            if at < since:
                return False
            if client.in_transaction:
                return True
        return False

    def next_to_evict(self, now: float, address: str | None = None) -> Client | None:
        """Return the client (from `address`, if given) to close first, None if all are at work."""
        for client, since in self._waiting.items():
            if address in {None, client.peer} and now - since >= _protected_for(client, full=address is None):
                return client
        return None


def _protected_for(client: Client, *, full: bool) -> float:
    """Seconds for which `client` may keep others waiting before it is closed for them."""
    if client.in_transaction:
        return STALLED_AFTER
    return HANDSHAKE_GRACE if client.in_handshake and not full else 0.0
