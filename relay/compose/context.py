"""The rest of a mail of which message and trace are only a part (report → digests, pages, `relay show`).

Guarantee: pure and linear. Lines of the message and the trace are not repeated.
"""

from __future__ import annotations

from relay.model import Form, Report

MAX_LINES = 200
"""Lines of the rest that are returned. Digests show less."""


def rest_of(report: Report) -> str:
    """Return the lines of the mail's text that are neither in the message nor in the trace; "" if there are none."""
    if not report.text:
        return ""
    shown = {line.strip() for line in f"{report.message}\n{report.trace}".split("\n")}
    lines = [line for line in report.text.split("\n") if not line.strip() or line.strip() not in shown]
    rest = "\n".join(lines).strip("\n").split("\n")
    return "\n".join(line for number, line in enumerate(rest[:MAX_LINES]) if line.strip() or rest[number - 1].strip())


def telling_subject(report: Report) -> str:
    """Return the mail's subject if it says something else than app and message; else "".

    The subject of a stock handler is constant: it is the name of the app. Our client and Django repeat the error in it.
    """
    if report.form not in {Form.PLAIN, Form.DEFAULT} or report.subject in {"", report.app}:
        return ""
    return "" if report.subject in report.message else report.subject
