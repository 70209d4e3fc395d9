"""The result of a layout: named fields and the rest of the text."""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.model import Form, Level
from relay.parse.layouts.request import Facts

HEAD_LINES = 60
"""Only this number of first lines is searched for labels."""

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
"""Level names of Python's `logging`, of syslog (RFC 5424) and of common libraries in other languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A text split into fields. `fields` are named like those of Report; `text` is the rest: message and trace."""

    form: Form
    text: str
    fields: dict[str, str] = field(default_factory=dict)
    level: Level | None = None
    request: Facts = ()
    """Facts about the request during which the error occurred."""


def parse_level(name: str) -> Level | None:
    """Return the level with this name, in any case, or with this number: `Error`, `warn`, `40`; None for other text."""
    if not name:
        return None  # a fast path: most mails state the level in only one of the places that are checked
    name = name.strip().upper()
    if name.isascii() and name.isdigit() and len(name) <= 2:
        return Level(max(10, min(50, int(name) // 10 * 10)))
    return LEVELS.get(name)
