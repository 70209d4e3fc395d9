"""Join the lines that a mailer broke at 60 to 80 columns (before records, traces and blocks are read).

A line was broken if the first word of the next line would not have fit into the width of the text. Lines that begin
something new (a record, a label, a frame, a list item) are never joined to the line above.

Guarantee: pure, and linear in the text. A text with a line of more than `MAX_WIDTH` columns that could have been broken
was not wrapped, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.parse.document.fields import field_of
from relay.parse.document.records import begins_with_time, head_of

MIN_WIDTH, MAX_WIDTH = 60, 80
_BEGINS = re.compile(
    r"\s|[>|+*•·=~_-]|\d{1,3}[.)] |\{|\}|at |bei |File [\"']|Caused by|Traceback|Stack trace|During handling|The above|\.\.\. \d|--|\d{4}-\d\d-\d\d|\d\d[:.]\d\d"
    r"|Call(?:ed|s) from|from /|thrown in|goroutine |[A-Z][a-z]{2} [ \d]\d "
)
_LEAST_LENGTH = 40
_LEAST_BLANKS = 5
"""A line of a sentence that fills the width has at least this number of blanks."""
_BREAKABLE = re.compile(r"\S\s\S")


def joined(lines: Sequence[str], *, prose: bool) -> list[str] | None:
    """Return `lines` with broken ones joined; None if nothing was broken.

    With `prose`, only sentences are joined: the next line begins with a lower-case letter.
    """
    width = max((len(line) for line in lines if _BREAKABLE.search(line.strip())), default=0)
    if not prose and not MIN_WIDTH <= width <= MAX_WIDTH:
        return None
    done: list[list[str]] = []
    last = ""
    for line in lines:
        if done and _was_broken(last, line, width, prose=prose):
            done[-1][-1] = done[-1][-1].rstrip()
            done[-1].append(line.strip())
        else:
            done.append([line])
        last = line
    return [" ".join(pieces) for pieces in done] if len(done) < len(lines) else None


def _was_broken(above: str, line: str, width: int, *, prose: bool) -> bool:
    above = above.rstrip()
    if prose:
        continues = bool(above and line.strip()) and _continues(above, line)
        return continues and not (field_of(line) or head_of(line) or begins_with_time(line))
    if not above or not line.strip():
        return False
    word = line.split(None, 1)[0]
    if len(above) + 1 + len(word) <= width or (len(word) > width and not line[0].isalnum() and line[0] != "/"):
        return False
    return not (_BEGINS.match(line) or _alike(above, line) or field_of(line) or head_of(line))


def _continues(above: str, line: str) -> bool:
    begin = line.lstrip()[:1]
    begins = (begin.islower() or begin.isdigit()) and above.split(None, 1)[0] != line.split(None, 1)[0]
    return begins and len(above) >= _LEAST_LENGTH and above.count(" ") >= _LEAST_BLANKS and above[-1].isalpha()


def _alike(above: str, line: str) -> bool:
    """Return True for two lines of a list: they begin with the same mark or folder."""
    return above[:1] == line[:1] and not line[:1].isalpha()
