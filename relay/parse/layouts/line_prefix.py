"""What a journal, syslog or a container engine puts in front of each line of a log.

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
"""What Kubernetes' and Docker Compose's logs put in front, which is known in a single line, too."""
_VARYING = re.compile(r"\d+|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|[^\d]")
_WIDTH = 160
LOOK = 6
"""Lines that have to agree, as far as there are as many; three at the least."""


def sample_of(lines: list[str]) -> list[str]:
    """The lines by which it is told what stands in front of all."""
    return list(islice(filter(str.strip, lines[:40]), LOOK))


def without(lines: list[str]) -> list[str]:
    """`lines` without what stands in front of each in the same shape, numbers apart; as they are where nothing does."""
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
                return [_cut(line, shape) for line in lines]
    return lines


def _shape(prefix: str) -> re.Pattern[str]:
    """A pattern for `prefix` with other numbers and month; its last blank may be missing, as before an empty line."""
    pieces = [_generic(piece) for piece in _VARYING.findall(prefix.rstrip(" "))]
    return re.compile("".join(pieces) + " ?")


def _generic(piece: str) -> str:
    if piece.isdigit():
        return r"[ \d]\d*"
    return "[A-Z][a-z]{2}" if len(piece) > 1 else re.escape(piece)


def _cut(line: str, shape: re.Pattern[str]) -> str:
    match = shape.match(line)
    return line[match.end() :] if match else line
