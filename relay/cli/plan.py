"""`plan`: show what would be reported when, and why, if no more mail came in. Nothing is changed or sent."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import format_time, print_json, print_table, title_with_app
from relay.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from relay.config import Settings
    from relay.ledger import Ledger
    from relay.schedule.plan import Forecast, RouteQueue

_MAX_GROUPS = 1_000
"""Errors of one route that are looked at, those with the most pending mails first."""
_MAX_MESSAGES = 10_000


@click.command()
@config_option
@json_option
def plan(config: Path | None, *, as_json: bool) -> None:
    """Show what would be reported when.

    Prints why, too. The plan assumes that no more mail comes in. Nothing is changed or sent.
    """
    from relay.outbox.holds import budget_holds, describe_holds
    from relay.schedule.plan import plan as forecasts

    settings = settings_of(config)
    ledger = open_ledger(settings)
    now, zone = utc_now(), settings.time.tz
    queues = list(route_queues(ledger, settings, now))
    planned = forecasts(queues, now=now, limits=settings.budget, budgets=ledger.all_budgets())
    found = [forecast for forecast in planned if forecast.at]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("Nothing is due: no error has anything to report.")
    else:
        rows = [(format_time(f.at, zone), f.group.route, _why(f, zone), title_with_app(f.group)) for f in found]
        print_table("when", "route", "why", "error", rows=rows)
    if holds := describe_holds(budget_holds(ledger, settings, now), settings.budget, zone):
        click.echo(f"\nbudget: {holds}")


def route_queues(ledger: Ledger, settings: Settings, now: datetime) -> Iterator[RouteQueue]:
    """Yield what decides the next digests of each route."""
    from relay.ledger import GroupOrder
    from relay.model import Delivery, MessageState, RouteState
    from relay.schedule.plan import RouteQueue
    from relay.service.worker_name import upstream_key

    states, pause = ledger.route_states(), ledger.upstream(upstream_key(settings)).next_try_at or now
    busy: dict[str, dict[str, datetime]] = defaultdict(dict)
    deferred: dict[str, set[str]] = defaultdict(set)
    for message in ledger.messages(state=MessageState.OPEN, limit=_MAX_MESSAGES):
        for each in message.deliveries:
            if each.state is Delivery.QUEUED:
                busy[message.route][each.recipient] = max(message.next_try_at or now, pause)
            elif each.state is Delivery.DEFERRED:
                deferred[message.route].add(each.recipient)
    for route in settings.all_routes:
        yield RouteQueue(
            route=route,
            groups=ledger.groups(limit=_MAX_GROUPS, order=GroupOrder.PENDING, route=route.name),
            state=states.get(route.name, RouteState()),
            busy=busy[route.name],
            deferred=frozenset(deferred[route.name]),
        )


def _why(forecast: Forecast, zone: ZoneInfo) -> str:
    later = [f"{recipient} gets it {format_time(at, zone)} (budget)" for recipient, at in forecast.later]
    return "; ".join((forecast.words, *later))
