"""What a layout gives: a text taken apart into named fields and the rest of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.model import Form, Level
from relay.parse.layouts.request import Facts

HEAD_LINES = 60
"""Labels are looked for in the first lines only."""

LEVELS = {
    "DEBUG": Level.DEBUG,
    "TRACE": Level.DEBUG,
    "INFO": Level.INFO,
    "NOTICE": Level.INFO,
    "WARNING": Level.WARNING,
    "WARN": Level.WARNING,
    "ERROR": Level.ERROR,
    "ERR": Level.ERROR,
    "SEVERE": Level.ERROR,
    "CRITICAL": Level.CRITICAL,
    "CRIT": Level.CRITICAL,
    "FATAL": Level.CRITICAL,
    "ALERT": Level.CRITICAL,
    "EMERGENCY": Level.CRITICAL,
    "EMERG": Level.CRITICAL,
    "PANIC": Level.CRITICAL,
}
"""The names of Python's `logging`, syslog (RFC 5424) and the usual libraries of other languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A text taken apart. `fields` are named like those of Report; `text` is the rest: message and trace."""

    form: Form
    text: str
    fields: dict[str, str] = field(default_factory=dict)
    level: Level | None = None
    request: Facts = ()
    """About the request that the error came up in."""


def parse_level(name: str) -> Level | None:
    """The level of that name in any case, or of that number, e.g. `Error`, `warn`, `40`; None for any other text."""
    if not name:
        return None  # most mails say it once, in one of the places that are asked
    name = name.strip().upper()
    if name.isascii() and name.isdigit() and len(name) <= 2:
        return Level(max(10, min(50, int(name) // 10 * 10)))
    return LEVELS.get(name)
