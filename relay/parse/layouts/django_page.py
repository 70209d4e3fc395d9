"""Convert Django's HTML report, without its markup, into the form of Django's text report.

Used only for mails without a text part. Request data, settings and local variables of the page are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_LABELS = ("Request Method:", "Request URL:", "Django Version:", "Raised during:")
_EXCEPTION = ("Exception Type:", "Exception Value:")
_FRAME = re.compile(r"(?P<path>(?:/|[A-Za-z]:\\|<).{0,400}), line (?P<line>\d{1,9}), in (?P<function>.{1,200})$")
_CAUSES = ("The above exception (", "During handling of the above exception (")


def as_text_report(lines: Sequence[str]) -> list[str] | None:
    """Return the lines of the equivalent text report; None if `lines` are not such a page."""
    texts = [line.strip() for line in lines if line.strip()]
    if "Django Version:" not in texts or "Traceback" not in texts:
        return None
    trace_at = texts.index("Traceback")
    labels = {label: _value_after(texts, label) for label in (*_LABELS, *_EXCEPTION)}
    head = [f"{label} {labels[label]}" for label in _LABELS if labels[label]]
    tail = [f"{label} {labels[label]}" for label in _EXCEPTION if labels[label]]
    return [
        *head,
        "",
        "Traceback (most recent call last):",
        *_frames(texts[trace_at:]),
        "",
        *tail,
        "Request information:",
    ]


def _value_after(texts: Sequence[str], label: str) -> str:
    position = texts.index(label) + 1 if label in texts else len(texts)
    return texts[position] if position < len(texts) else ""


def _frames(texts: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if text == "Request information":
            return
        if match := _FRAME.match(text):
            yield f'  File "{match["path"]}", line {match["line"]}, in {match["function"]}'
            yield from (f"    {source}" for source in texts[number + 1 : number + 2])
        elif text.startswith(_CAUSES):
            yield from ("", text)
