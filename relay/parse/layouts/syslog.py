"""What syslog puts in front of a line (RFC 3164, RFC 5424, and rsyslog's file format): moment, host, program.

Nov 22 17:03:11 web-1 sshd[4711]: Failed password for ada
2026-11-22T17:03:11.5+00:00 web-1 sshd[4711]: Failed password for ada
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(
    r"(?:<\d{1,3}>)?(?:1 )?"
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
    r" (?P<host>[\w.:-]{1,255}) (?P<program>[\w./@-]{1,100})"
    r"(?:(?:\[\d{1,10}\])?:(?: |$)(?:\[[ \d]{1,10}\.\d{6}\] )?| \S{1,128} \S{1,32} (?:-|\[[^\]]{0,400}\]) )"
)
"""The kernel puts the seconds since its start in front of its messages."""


def without(lines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """`lines` without it, and what the first one's says: host, time, and the program as logger.

    A line that has none stays; where the first that is not blank has none, so do all.
    """
    first = next((line for line in lines if line.strip()), "")
    match = _HEADER.match(first)
    if not match:
        return list(lines), {}
    fields = {"time": match["time"], "host": match["host"], "logger": match["program"].rpartition("/")[2]}
    return [_cut(line) for line in lines], fields


def _cut(line: str) -> str:
    match = _HEADER.match(line)
    return line[match.end() :] if match else line
