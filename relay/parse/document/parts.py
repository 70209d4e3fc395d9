"""Choose the text of a mail that reports the error: its plain part, the HTML part, an attached log (mime → document).

Guarantee: pure, bounded and linear. The plain part is the report, unless it says nothing that failed and another text
does, or another text has a stack trace and the plain part has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from relay import traces
from relay.parameterize import failure_words
from relay.parse.document import records, segment
from relay.parse.document.line import Line
from relay.parse.mime import Mail, Part

_MAX_LINES = 1_000
"""Lines of a part that are compared."""
_TRACE = 8
"""What a stack trace adds to the strength of a text."""
_CLEARLY = 4
"""An inline text is the report instead of the plain part if it is stronger by this number."""


def report_of(mail: Mail) -> Part:
    """Return the text that reports the error."""
    plain = Part("text/plain", "", mail.text)
    if not mail.others or "x-error-mail-client" in mail.head.fields:
        return plain
    least = _strength(plain.text)
    best, strength = plain, least
    for part in mail.others:
        found = _strength(part.text)
        if found > max(strength, failure_words.STRONG - 1) and (
            found >= least + _CLEARLY or least < failure_words.STRONG
        ):
            best, strength = part, found
    return best


def whole_of(mail: Mail) -> str:
    """Return all texts of the mail, the attached ones under their file names, for people to read."""
    texts = [mail.text, *(f"[{part.name}]\n{part.text}" if part.name else part.text for part in mail.others)]
    return "\n\n".join(text.strip("\n") for text in texts)


def _strength(text: str) -> int:
    """Return how strongly `text` says that something failed."""
    lines = _ends(text.split("\n"))
    strongest = max((_score(line) for block in segment.blocks_of(lines) for line in block.lines), default=0)
    worst = max((record.level for record in records.records_in(lines) if record.timed), default=0)
    return strongest + (worst // 10) + (_TRACE if traces.find(text) else 0)


def _score(line: Line) -> int:
    """Return the score of a line. `ValueError: no cart` looks like a labelled value, and is an exception."""
    label = line.field.label if line.field else ""
    is_exception = label.endswith(("error", "exception")) and " " not in label
    return failure_words.score(line.text) if is_exception else line.score


def _ends(lines: Sequence[str]) -> Sequence[str]:
    return lines if len(lines) <= _MAX_LINES else [*lines[: _MAX_LINES // 2], *lines[-_MAX_LINES // 2 :]]
