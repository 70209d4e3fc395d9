"""Django's HTML report, its markup taken off, put back into the words of its text report.

Only for mails that come without a text part. What the page shows of the request, the settings
and local variables stays out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_LABELS = ("Request Method:", "Request URL:", "Django Version:", "Raised during:")
_EXCEPTION = ("Exception Type:", "Exception Value:")
_FRAME = re.compile(r"(?P<path>(?:/|[A-Za-z]:\\|<).{0,400}), line (?P<line>\d{1,9}), in (?P<function>.{1,200})$")
_CAUSES = ("The above exception (", "During handling of the above exception (")


def as_text_report(lines: Sequence[str]) -> list[str] | None:
    """The lines of the text report that says the same; None where this is no such page."""
    words = [line.strip() for line in lines if line.strip()]
    if "Django Version:" not in words or "Traceback" not in words:
        return None
    trace_at = words.index("Traceback")
    labels = {label: _after(words, label) for label in (*_LABELS, *_EXCEPTION)}
    head = [f"{label} {labels[label]}" for label in _LABELS if labels[label]]
    tail = [f"{label} {labels[label]}" for label in _EXCEPTION if labels[label]]
    return [
        *head,
        "",
        "Traceback (most recent call last):",
        *_frames(words[trace_at:]),
        "",
        *tail,
        "Request information:",
    ]


def _after(words: Sequence[str], label: str) -> str:
    place = words.index(label) + 1 if label in words else len(words)
    return words[place] if place < len(words) else ""


def _frames(words: Sequence[str]) -> Iterator[str]:
    for number, word in enumerate(words):
        if word == "Request information":
            return
        if match := _FRAME.match(word):
            yield f'  File "{match["path"]}", line {match["line"]}, in {match["function"]}'
            yield from (f"    {source}" for source in words[number + 1 : number + 2])
        elif word.startswith(_CAUSES):
            yield from ("", word)
