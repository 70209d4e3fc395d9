"""Who is connected, and who goes when there are too many: the longest-idle first, never one at work.

A client that waits with no transaction open is idle. One in a transaction is at work, unless
it has been silent for `PATIENCE` seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

PATIENCE = 30.0


class Client(Protocol):
    """A connection as the roster sees it."""

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the answer to DATA."""


ClientT = TypeVar("ClientT", bound=Client)


class Roster(Generic[ClientT]):
    """The connections of one receiver, at most `limit`; moments are the event loop's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._present: set[ClientT] = set()
        self._waiting: dict[ClientT, float] = {}
        """Those whose next command we wait for and since when, longest first."""

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[ClientT]:
        return iter(tuple(self._present))

    @property
    def full(self) -> bool:
        """True where one must go before another can come."""
        return len(self._present) >= self._limit

    def enter(self, client: ClientT) -> None:
        """Add a connection."""
        self._present.add(client)

    def leave(self, client: ClientT) -> None:
        """Remove a connection; harmless where it is gone already."""
        self._present.discard(client)
        self._waiting.pop(client, None)

    def waits(self, client: ClientT, now: float) -> None:
        """Note that the client's next command is awaited (a connection that is ending may say so too late)."""
        if client in self._present:
            self._waiting[client] = now

    def works(self, client: ClientT) -> None:
        """Note that the client has sent a command."""
        self._waiting.pop(client, None)

    def idle(self) -> list[ClientT]:
        """Those that wait with no transaction open, longest first."""
        return [client for client in self._waiting if not client.in_transaction]

    def expendable(self, now: float) -> ClientT | None:
        """The one that goes first, None where all are at work."""
        for client, since in self._waiting.items():
            if not client.in_transaction or now - since >= PATIENCE:
                return client
        return None
