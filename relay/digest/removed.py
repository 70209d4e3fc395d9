"""What an earlier configuration left behind: recipients who are none any more, routes that are gone.

Nobody gets mail who is not configured now, and nothing that was received is forgotten: what a route that is gone had
still to tell goes to the recipients of the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relay.ledger import Ledger
from relay.model import Delivery, MessageState, Route

_MOST_LETTERS = 10_000
_OPEN = {Delivery.QUEUED, Delivery.DEFERRED}


def route_of(routes: Sequence[Route], name: str) -> Route:
    """The route of that name; where there is none any more, the last one under this name."""
    last = replace(routes[-1], name=name)
    return next((route for route in routes if route.name == name), last)


def removed_recipients(ledger: Ledger, routes: Sequence[Route]) -> list[tuple[str, str]]:
    """Every (route, recipient) with a letter still to be sent or made good, though no longer a recipient there."""
    letters = ledger.messages(state=MessageState.OPEN, limit=_MOST_LETTERS)
    pairs = {(letter.route, each.recipient) for letter in letters for each in letter.deliveries if each.state in _OPEN}
    return sorted((name, recipient) for name, recipient in pairs if recipient not in route_of(routes, name).recipients)


def removed_routes(ledger: Ledger, routes: Sequence[Route]) -> list[str]:
    """Routes that once had a digest and are no longer configured."""
    return sorted(ledger.route_states().keys() - {route.name for route in routes})
