"""How commands print: moments, tables, JSON. Texts from mails are made harmless to a terminal."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay import humanize
from relay.text import plain

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from relay.model import Group


def shown(moment: datetime | None, zone: ZoneInfo) -> str:
    """Give a moment for people, to the second, in `zone`; "–" where there is none."""
    return humanize.moment(moment, zone) if moment else "–"


def table(*columns: str, rows: list[tuple[Any, ...]]) -> None:
    """Print a table that fits the terminal; texts from mails are neither markup nor commands to it."""
    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold", justify="right" if column.endswith("#") else "left")
    for row in rows:
        grid.add_row(*[Text(plain(str(cell))) for cell in row])
    Console(highlight=False, soft_wrap=False).print(grid)


def name_of(group: Group) -> str:
    """The title of an error with its app: `ZeroDivisionError in checkout [shop]`."""
    return f"{group.title} [{group.app}]"


def print_json(value: Any) -> None:
    """Print nouns of `model` (or lists and dicts of them) as JSON, moments in ISO 8601."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
