"""The layout of Django's AdminEmailHandler: the log message, then the report of its template technical_500.txt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.model import Form
from relay.parse.layouts.django_page import as_text_report
from relay.parse.layouts.layout import Layout, parse_level

_SUBJECT = re.compile(r"(?:\[[^\]]{0,100}\] ?)?(?P<level>[A-Z]{4,9})(?: \((?:EXTERNAL|internal) IP\))?: ")
_REQUEST_LINES = ("Request Method: ", "Request URL: ", "Raised during: ", "USER: ")
_TRACE = ("Traceback (most recent call last):", "Traceback:")
_AFTER_TRACE = ("Request information", "Request data not")


def read(subject: str, lines: Sequence[str]) -> Layout | None:
    """Return the log message, a few lines about the request, and the trace; None if this is not Django's layout.

    Settings, cookies and other request data are left out, because they can contain secrets.
    """
    match = _SUBJECT.match(subject)
    level = parse_level(match["level"]) if match else None
    if not any(line.startswith("Django Version: ") for line in lines):
        page = as_text_report(lines)
        if page is None:
            return None
        lines = [subject[match.end() :] if match else subject, "", "", *page]
    report = next(n for n, line in enumerate(lines) if line.startswith(("Request Method: ", "Django Version: ")))
    message = [*_message(lines[:report]), "", *_request(lines)]
    return Layout(form=Form.DJANGO, text="\n".join([*message, *_trace(lines[report:])]).strip("\n"), level=level)


def _message(head: Sequence[str]) -> list[str]:
    """Return the log message: the text above the report's own title and value, which are the last paragraph."""
    text = "\n".join(head).strip("\n")
    above, _, _ = text.rpartition("\n\n")
    return (above or text).split("\n")


def _request(lines: Sequence[str]) -> list[str]:
    """Return the lines about the request that an administrator needs first."""
    return [line for line in lines if line.startswith(_REQUEST_LINES)][: len(_REQUEST_LINES)]


def _trace(report: Sequence[str]) -> Sequence[str]:
    start = next((n for n, line in enumerate(report) if line.startswith(_TRACE)), len(report))
    end = next((n for n in range(start, len(report)) if report[n].startswith(_AFTER_TRACE)), len(report))
    return report[start:end] if any('File "' in line for line in report[start:end]) else []
