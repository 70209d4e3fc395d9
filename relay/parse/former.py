"""Read a report as version 1 of the fingerprint did: all of its text is the message (report → grouping.fingerprint_1).

Guarantee: pure, linear in the text. Only the fields that count for the fingerprint are read again.
"""

from __future__ import annotations

from dataclasses import replace

from relay import traces
from relay.model import Form, Report
from relay.parse.layouts import layout_of, line_prefix, syslog
from relay.parse.mime import one_line

_MAX_FIELDS = {"location": 500, "logger": 200, "module": 200, "function": 200}
"""The fields that locate an error, with the characters that are kept of them."""


def whole_report(report: Report) -> Report:
    """Return `report` with its whole text as message and trace, and with the location that this text names.

    A trace in a language that version 1 does not know is part of the message.
    """
    if not report.text:
        if not report.trace or traces.find_1(report.trace):
            return report
        return replace(report, message="\n".join(filter(None, (report.message, report.trace))).strip(), trace="")
    lines, fields = syslog.strip_headers(report.text.split("\n"))
    layout = layout_of(report.subject, line_prefix.strip_prefixes(lines))
    message, trace = traces.split(layout.text, traces.find_1(layout.text))
    whole = replace(report, message=message, trace=trace, template="", text="")
    if report.form is Form.CLIENT:
        return whole
    fields |= layout.fields
    located = {name: one_line(fields.get(name, ""), most) for name, most in _MAX_FIELDS.items()}
    return replace(
        whole,
        location=located["location"],
        logger=located["logger"],
        module=located["module"],
        function=located["function"],
    )
