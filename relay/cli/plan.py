"""`plan`: show what would be reported when, and why, if no more mail came in. Nothing is changed or sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import format_time, print_json, print_table, title_with_app
from relay.clock import utc_now

if TYPE_CHECKING:
    from relay.schedule.route import Forecast


@click.command()
@config_option
@json_option
def plan(config: Path | None, *, as_json: bool) -> None:
    """Show what would be reported when.

    Prints why, too. The plan assumes that no more mail comes in. Nothing is changed or sent.
    """
    from relay.ledger import GroupOrder
    from relay.model import RouteState
    from relay.schedule.route import plan as forecasts

    settings = settings_of(config)
    ledger = open_ledger(settings)
    now, states, zone = utc_now(), ledger.route_states(), settings.time.tz
    found: list[Forecast] = []
    for route in settings.routes:
        groups = ledger.groups(limit=1000, order=GroupOrder.PENDING, route=route.name)
        state = states.get(route.name, RouteState())
        found += forecasts(groups, state=state, timing=route.timing, now=now)
    found = [forecast for forecast in found if forecast.at]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("Nothing is due: no error has anything to report.")
    else:
        rows = [(format_time(f.at, zone), f.group.route, f.words, title_with_app(f.group)) for f in found]
        print_table("when", "route", "why", "error", rows=rows)
