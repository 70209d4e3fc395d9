"""Output of the commands: times, tables, JSON.

Guarantee: text from mails cannot send control sequences to the terminal.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from relay import humanize
from relay.text import plain

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from relay.model import Group


def format_time(time: datetime | None, zone: ZoneInfo) -> str:
    """Format a time in `zone`, to the second; "–" for None."""
    return humanize.moment(time, zone) if time else "–"


class Right(str):
    """The heading of a column that is aligned to the right: numbers."""

    __slots__ = ()


def print_table(*columns: str, rows: list[tuple[Any, ...]], empty: str = "Nothing to show.") -> None:
    """Print a table that fits the terminal, or the sentence `empty` if there are no rows.

    Text from mails is printed as it is: no markup, no control sequences.
    """
    if not rows:
        click.echo(empty)
        return

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold", justify="right" if isinstance(column, Right) else "left")
    for row in rows:
        grid.add_row(*[Text(plain(str(cell))) for cell in row])
    Console(highlight=False, soft_wrap=False).print(grid)


def title_with_app(group: Group) -> str:
    """Return the title of an error with its app: `ZeroDivisionError in checkout [shop]`."""
    return f"{group.title} [{group.app}]"


def print_json(value: Any) -> None:
    """Print values of `relay.model`, or lists and dicts of them, as JSON: times in ISO 8601, durations in seconds."""
    click.echo(json.dumps(value, default=_jsonable, ensure_ascii=False, indent=2))


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
