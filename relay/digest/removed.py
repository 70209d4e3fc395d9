"""Recipients and routes that are no longer configured but still have pending or unsent mails.

Guarantee: only recipients that are configured now get mail, and no received mail is forgotten. What a removed route
still has to report goes to the recipients of the last route.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relay.ledger import Ledger
from relay.model import Delivery, MessageState, Route

_MAX_MESSAGES = 10_000
_UNSENT = {Delivery.QUEUED, Delivery.DEFERRED}


def route_of(routes: Sequence[Route], name: str) -> Route:
    """Return the route of that name. For a removed route, return the last route under the removed route's name."""
    last = replace(routes[-1], name=name)
    return next((route for route in routes if route.name == name), last)


def removed_recipients(ledger: Ledger, routes: Sequence[Route]) -> list[tuple[str, str]]:
    """Return each (route, recipient) that has a queued or deferred message but is no longer configured there."""
    messages = ledger.messages(state=MessageState.OPEN, limit=_MAX_MESSAGES)
    pairs = {
        (message.route, each.recipient) for message in messages for each in message.deliveries if each.state in _UNSENT
    }
    return sorted((name, recipient) for name, recipient in pairs if recipient not in route_of(routes, name).recipients)


def removed_routes(ledger: Ledger, routes: Sequence[Route]) -> list[str]:
    """Return the routes that once had a digest and are no longer configured."""
    return sorted(ledger.route_states().keys() - {route.name for route in routes})
