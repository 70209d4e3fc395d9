"""Django's AdminEmailHandler: the log message, then the report of its template technical_500.txt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.forms.layout import Layout, level_named
from relay.model import Form

_DJANGO_SUBJECT = re.compile(r"(?:\[[^\]]{0,100}\] ?)?(?P<level>[A-Z]{4,9})(?: \((?:EXTERNAL|internal) IP\))?: ")
_DJANGO_KEPT = ("Request Method: ", "Request URL: ", "Raised during: ", "USER: ")
_DJANGO_TRACE = ("Traceback (most recent call last):", "Traceback:")


def read(subject: str, lines: Sequence[str]) -> Layout | None:
    """Django's report (its template technical_500.txt) below the log message; told by its version line."""
    if not any(line.startswith("Django Version: ") for line in lines):
        return None
    report = next((n for n, line in enumerate(lines) if line.startswith(("Request Method: ", "Django Version: "))), 0)
    trace_at = next((n for n in range(report, len(lines)) if lines[n].startswith(_DJANGO_TRACE)), len(lines))
    end = next(
        (n for n in range(trace_at, len(lines)) if lines[n].startswith(("Request information", "Request data not"))),
        len(lines),
    )
    message = [*_django_message(lines[:report]), "", *_django_kept(lines)]
    trace = lines[trace_at:end] if any('File "' in line for line in lines[trace_at:end]) else []
    match = _DJANGO_SUBJECT.match(subject)
    level = level_named(match["level"]) if match else None
    return Layout(form=Form.DJANGO, text="\n".join([*message, *trace]).strip("\n"), level=level)


def _django_message(head: Sequence[str]) -> list[str]:
    """The log message: what stands above the report's own title and value, which are its last paragraph."""
    text = "\n".join(head).strip("\n")
    above, _, _ = text.rpartition("\n\n")
    return (above or text).split("\n")


def _django_kept(lines: Sequence[str]) -> list[str]:
    """What an administrator asks first of the request; the settings and the rest of it stay out of digests."""
    return [line for line in lines if line.startswith(_DJANGO_KEPT)][: len(_DJANGO_KEPT)]
