"""Remove the header of syslog lines: time, host and program (RFC 3164, RFC 5424, file format of rsyslog).

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
"""The optional group in brackets is the uptime in seconds that the kernel writes before its messages."""


def strip_headers(lines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return `lines` without their headers, and host, time and logger (the program) of the first header.

    A line without a header stays unchanged. If the first line that is not blank has no header, all lines stay.
    """
    first = next((line for line in lines if line.strip()), "")
    match = _HEADER.match(first)
    if not match:
        return list(lines), {}
    fields = {"time": match["time"], "host": match["host"], "logger": match["program"].rpartition("/")[2]}
    return [without_header(line) for line in lines], fields


def without_header(line: str) -> str:
    """Return `line` without its header; a line without one stays."""
    match = _HEADER.match(line)
    return line[match.end() :] if match else line
