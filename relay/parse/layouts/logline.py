"""The layout of a log line: time, level and logger before the message, as common formatters write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.model import Form
from relay.parse.layouts.layout import LEVELS, Layout, parse_level

_TIME = (
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
)
_LEVEL = "(?:" + "|".join(f"{name}|{name.capitalize()}|{name.lower()}" for name in LEVELS) + ")"
_NAME = r"[A-Za-z_][\w.]{0,100}"
_THREAD = r"(?:\[[^\]]{0,100}\] ?)?"
_CELERY = rf"\[(?P<time>{_TIME}): (?P<level>{_LEVEL})/[^\]]{{0,100}}\] "
"""[2024-10-15 00:47:28,270: ERROR/ForkPoolWorker-6] message"""
_FLASK = rf"\[(?P<time>{_TIME})\] (?P<level>{_LEVEL}) in (?P<module>[\w.]{{1,100}}): "
"""[2024-10-15 00:47:28,270] ERROR in module: message"""
_USUAL = (
    rf"\[?(?P<time>{_TIME})\]?[ :,-]{{0,4}}{_THREAD}\[?(?P<level>{_LEVEL})\]?[ :-]{{0,4}}{_THREAD}"
    rf"(?:(?P<logger>{_NAME})(?:\[\d{{1,9}}\])?(?:: | - ))?"
)
"""2024-10-15 00:47:28,270 [thread] ERROR logger: message; or with a dash; or without a logger"""
_DJANGO_VERBOSE = (
    rf"\[?(?P<level>{_LEVEL})\]?[ :]{{1,4}}(?P<time>{_TIME}) (?P<module>[\w.]{{1,100}}) \d{{1,20}} \d{{1,20}} "
)
"""ERROR 2024-10-15 00:47:28,270 module 4711 140311451243661 message"""
_BASIC_CONFIG = rf"(?P<level>{_LEVEL}):(?P<logger>{_NAME}):"
"""ERROR:logger:message"""
_RUBY = (
    rf"[A-Z], \[(?P<time>{_TIME}) #\d{{1,9}}\] {{1,2}}(?P<level>{_LEVEL}) -- [^:]{{0,100}}: (?:\[[0-9a-f-]{{36}}\] )?"
)
"""E, [2024-10-15T00:47:28.270000 #4711] ERROR -- : message"""
_SHORT = (
    rf"\[?(?P<level>{'|'.join(LEVELS)})\]?(?:: | - | (?=[A-Z\"'\d<\[]))"
    r"(?:(?P<logger>[A-Za-z_]\w{0,60}(?:\.\w{1,60}){1,9}): )?"
)
"""ERROR logger.name: message; ERROR Message. Only in upper case, because messages often begin with `Error: …`."""
_GLOG = r"(?P<level>[IWEF])\d{4} (?P<time>\d\d:\d\d:\d\d\.\d{1,9}) +\d{1,9} (?P<location>[\w./-]{1,200}:\d{1,9})\] "
"""E1122 17:03:11.123456       1 controller.go:118] message (Google's glog, Kubernetes' klog)"""
_LOG_LINES = tuple(
    re.compile(pattern) for pattern in (_CELERY, _FLASK, _USUAL, _DJANGO_VERBOSE, _BASIC_CONFIG, _RUBY, _SHORT, _GLOG)
)
_AT_END = re.compile(r" \[in (?P<location>[^\[\]\n]{1,400}:\d{1,9})\]$")
"""The end of a line in Flask's documented format for log files."""


def read(lines: Sequence[str]) -> Layout | None:
    """Return the layout if the first line begins like a log line, else None. The text keeps all but that beginning."""
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    line = lines[first]
    match = next((found for pattern in _LOG_LINES if (found := pattern.match(line))), None)
    if match is None:
        return None
    fields = {name: value for name, value in match.groupdict().items() if value and name != "level"}
    line = line[match.end() :]
    if location := _AT_END.search(line[-500:]):
        fields["location"] = location["location"]
        line = line[: len(line) - len(location[0])]
    text = "\n".join([line, *lines[first + 1 :]]).strip("\n")
    return Layout(form=Form.PLAIN, text=text, fields=fields, level=parse_level(match["level"]))
