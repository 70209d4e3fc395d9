"""The layout of logfmt: a log record as `key=value` pairs on one line (Go's slog and logrus, Heroku's router).

time=2026-11-22T17:03:11Z level=error msg="order 17 failed" err="connection refused"
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.parse.layouts import structured
from relay.parse.layouts.layout import Layout

_PAIR = re.compile(r'([A-Za-z_@][\w.@-]{0,60})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?: +|$)')
_MESSAGES = ("msg", "message")
_USUAL = ("level", "lvl", "levelname", "severity", "ts", "time", "timestamp")
_ESCAPED = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "t": "\t"}


def read(lines: Sequence[str]) -> Layout | None:
    """Return the layout if the first line consists only of pairs, with a message and a level or time; else None.

    The lines below belong to the record.
    """
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or not (pairs := _pairs(lines[first])):
        return None
    if not any(name in pairs for name in _MESSAGES) or not any(name in pairs for name in _USUAL):
        return None
    return structured.layout_of(pairs, below="\n".join(lines[first + 1 :]).strip("\n"))


def _pairs(line: str) -> dict[str, str]:
    """Return the pairs of the line; empty if the line contains anything else."""
    found: dict[str, str] = {}
    position = 0
    while position < len(line):
        match = _PAIR.match(line, position)
        if not match:
            return {}
        found[match[1]] = _unquoted(match[2]) if match[2] is not None else match[3]
        position = match.end()
    return found


def _unquoted(quoted: str) -> str:
    return _ESCAPED.sub(lambda match: _UNESCAPED.get(match[1], match[1]), quoted)
