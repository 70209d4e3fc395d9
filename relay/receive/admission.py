"""Who is connected, and who goes when there are too many: the longest-idle first, never one at work.

A client that owes us something (a command, the rest of its mail) with no transaction open is
idle. One in a transaction is at work, unless it has given nothing for `STALLED_AFTER` seconds. A
handshake is idle time, too: for its first seconds only where all places are taken, since of
many at once from one address each takes its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

STALLED_AFTER = 30.0
HANDSHAKE_GRACE = 5.0
"""Seconds for which a handshake is not held against others of its address."""


class Client(Protocol):
    """A connection as the roster sees it."""

    peer: str

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the answer to DATA."""

    @property
    def in_handshake(self) -> bool:
        """True from the beginning of TLS until it is there."""

    def close_if_overdue(self, now: float) -> None:
        """End the connection where the client's time is over at `now`."""

    def close_with(self, reply: bytes) -> None:
        """Send `reply` and end the connection."""

    def abort(self) -> None:
        """End the connection without a reply."""


class Admission:
    """The connections of one receiver, at most `limit`, and `per_client` from one address; moments are the loop's."""

    def __init__(self, limit: int, per_client: int) -> None:
        self.change(limit, per_client)
        self._present: dict[Client, str] = {}
        self._addresses: Counter[str] = Counter()
        self._waiting: dict[Client, float] = {}
        """Those who owe us something and since when, longest first."""

    def change(self, limit: int, per_client: int) -> None:
        """Go by other limits from now on; who is here stays."""
        self._limit, self._per_client = limit, per_client

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Client]:
        return iter(tuple(self._present))

    @property
    def full(self) -> bool:
        """True where one must go before another can come."""
        return len(self._present) >= self._limit

    def is_full_for(self, address: str) -> bool:
        """True where so many have come from `address` that one of them should go. A proxy or Docker may stand there."""
        return self._addresses[address] >= self._per_client

    def add(self, client: Client) -> None:
        """Add a connection."""
        self._present[client] = client.peer
        self._addresses[client.peer] += 1

    def remove(self, client: Client) -> None:
        """Remove a connection; harmless where it is gone already."""
        address = self._present.pop(client, None)
        if address is None:
            return
        self._waiting.pop(client, None)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def note_waiting(self, client: Client, now: float) -> None:
        """Note that something of the client is awaited, from now on (one that is ending may say so too late)."""
        if client in self._present:
            self._waiting.pop(client, None)
            self._waiting[client] = now

    def note_working(self, client: Client) -> None:
        """Note that the client waits for us."""
        self._waiting.pop(client, None)

    def idle(self) -> list[Client]:
        """Those that wait with no transaction open, longest first."""
        return [client for client in self._waiting if not client.in_transaction]

    def has_sender_since(self, since: float) -> bool:
        """True where a client in a transaction owes us something, and came that far at `since` or later."""
        for client, at in reversed(self._waiting.items()):
            if at < since:
                return False
            if client.in_transaction:
                return True
        return False

    def next_to_evict(self, now: float, address: str | None = None) -> Client | None:
        """The one (from `address`) that goes first, None where all are at work."""
        for client, since in self._waiting.items():
            if address in {None, client.peer} and now - since >= _protected_for(client, full=address is None):
                return client
        return None


def _protected_for(client: Client, *, full: bool) -> float:
    """How long, in seconds, `client` may let others wait."""
    if client.in_transaction:
        return STALLED_AFTER
    return HANDSHAKE_GRACE if client.in_handshake and not full else 0.0
