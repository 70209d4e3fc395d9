"""Remove the prefix that a journal, syslog or a container engine writes before each line of a log.

Sep 14 07:19:57 web-33 shop[9438]: Traceback (most recent call last):
web-1  | Traceback (most recent call last):
"""

from __future__ import annotations

import re
from itertools import islice

_ENDS = re.compile(r": |\| |\](?: |$)|\t| [FP] ")
_CONTAINER = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "
    r"|[\w.-]{1,60}[-_]\d{1,4} {1,30}\| "
)
"""The prefix of Kubernetes and Docker Compose. It is recognized even in a single line."""
_VARYING = re.compile(r"\d+|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|[^\d]")
_WIDTH = 160
SAMPLE_LINES = 6
"""Number of lines that must have the prefix; if the text has fewer lines, all of them, and at least three."""


def sample_of(lines: list[str]) -> list[str]:
    """Return the first lines that are not blank; the prefix is detected in them."""
    return list(islice(filter(str.strip, lines[:40]), SAMPLE_LINES))


def strip_prefixes(lines: list[str]) -> list[str]:
    """Return `lines` without their common prefix, in which numbers may differ; unchanged if they have none."""
    sample = sample_of(lines)
    if 0 < len(sample) < 3 and _CONTAINER.match(sample[0]):
        return [_CONTAINER.sub("", line, count=1) for line in lines]
    if len(sample) < 3 or not any(map(str.isdigit, sample[0][:_WIDTH])):
        return lines
    for end in reversed([match.end() for match in _ENDS.finditer(sample[0], 0, _WIDTH)]):
        prefix = sample[0][:end]
        if any(char.isdigit() for char in prefix):
            shape = _shape(prefix)
            if all(shape.match(line) for line in sample[1:]):
                return [_strip(line, shape) for line in lines]
    return lines


def _shape(prefix: str) -> re.Pattern[str]:
    """Return a pattern for `prefix` with any numbers and month. The final space is optional: empty lines have none."""
    pieces = [_generic(piece) for piece in _VARYING.findall(prefix.rstrip(" "))]
    return re.compile("".join(pieces) + " ?")


def _generic(piece: str) -> str:
    if piece.isdigit():
        return r"[ \d]\d*"
    return "[A-Z][a-z]{2}" if len(piece) > 1 else re.escape(piece)


def _strip(line: str, shape: re.Pattern[str]) -> str:
    match = shape.match(line)
    return line[match.end() :] if match else line
