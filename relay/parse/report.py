"""The mail, understood: raw bytes in, a Report out (sort → parse → redact → fingerprint).

Guarantee: any record gives a Report, in bounded time and memory; nothing here raises. Every
text of it is bounded and free of control characters but newline and tab, and all but message
and trace are one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from relay import traces
from relay.memo import memoized
from relay.model import MAX_COUNT, AppRule, Form, Level, Record, Report, Retained, Situation
from relay.parameterize.arguments import without_arguments
from relay.parse import json_part, mime
from relay.parse.json_part import JsonPart
from relay.parse.layouts import Layout, parse_level, read
from relay.parse.mime import CLIENT_HEADER_PREFIX, Mail, one_line
from relay.parse.situations import MAX_REASON, Hint, situation
from relay.traces import Trace

CONTENT_NOT_KEPT = "content not kept: there was no room for more than counting this mail"

UNKNOWN_APP = "unknown app"

_MAX_LABEL = 200
"""Characters of a value that our client put into a header, or that stands behind a label."""
_MAX_LOCATION = 500
_MAX_NAME = 60
_MAX_DROPPED = 999_999_999
_SITUATIONS = frozenset(each.value for each in Situation)
_RECORD_ID = re.compile(r"[0-9a-f]{32}")


def parse(record: Record, apps: Iterable[AppRule]) -> Report:
    """The report of `record`, its app named by its own header, else by the first rule that fits, else guessed."""
    sender = one_line(record.envelope.sender, 320).lower()
    if record.retained is Retained.COUNT or not record.content:
        bare = Mail(head=mime.Head(), subject="", sender=sender, text=CONTENT_NOT_KEPT)
        return _report(bare, apps, size=record.size)
    understood = mime.read(record.content)
    if not understood.sender:
        understood = understood._replace(sender=sender)
    return _report(understood, apps, size=record.size, cut=record.retained is Retained.ENDS)


def parse_text(subject: str, body: str) -> Report:
    """The report of a mail that is decoded already: the same understanding of its subject and text."""
    bare = Mail(head=mime.Head(), subject=one_line(subject, mime.MAX_HEADER), sender="", text=mime.bounded(body))
    return _report(bare, (), size=len(body))


def _report(mail: Mail, apps: Iterable[AppRule], *, size: int, cut: bool = False) -> Report:
    layout = read(mail.subject, mail.text)
    part = json_part.read(mail.json_part)
    found = traces.find(layout.text)
    message, trace = _message_and_trace(layout.text, found)
    trace = trace or part.trace
    hint = _told_situation(mail) or situation(found, message)
    told = _told(mail, layout, part)
    record_id = told.get("record", "")
    return Report(
        form=_form(mail, layout, trace),
        subject=mail.subject,
        sender=mail.sender,
        app=told.get("app", "") or _app_name(mail, apps),
        level=parse_level(told.get("level", "")) or layout.level or Level.ERROR,
        logger=told.get("logger", ""),
        location=told.get("location", ""),
        module=told.get("module", ""),
        function=told.get("function", ""),
        time=told.get("time", ""),
        message=message,
        trace=trace,
        environment=told.get("environment", ""),
        host=told.get("host", ""),
        release=told.get("release", ""),
        process=told.get("process", ""),
        thread=told.get("thread", ""),
        request=layout.request or part.request,
        template="" if trace else without_arguments(message, part.template, part.arguments),
        app_package=part.app_package,
        count=_number(told.get("count", ""), 1, MAX_COUNT) or 1,
        record_id=record_id if _RECORD_ID.fullmatch(record_id) else "",
        dropped=_number(told.get("dropped", ""), 0, _MAX_DROPPED) or 0,
        size=size,
        cut=cut,
        own="x-error-mail-relay" in mail.head.fields,
        situation=hint[0] if hint else None,
        situation_reason=hint[1] if hint else "",
    )


def _told(mail: Mail, layout: Layout, part: JsonPart) -> dict[str, str]:
    """What our client put into its header, else what the text's label says, else what stands in the JSON."""
    told = dict(part.fields)
    for name, value in layout.fields.items():
        if text := one_line(value, _MAX_LOCATION if name == "location" else _MAX_LABEL):
            told[name] = text
    for name in mail.head.client_headers:
        if text := mail.head.text(name, _MAX_LABEL):
            told[name.removeprefix(CLIENT_HEADER_PREFIX)] = text
    return told


def _told_situation(mail: Mail) -> Hint | None:
    """What our client, which saw the exception itself, says of it; None for anything but the seven."""
    told = mail.head.text("x-error-mail-situation", _MAX_LABEL)
    if told not in _SITUATIONS:
        return None
    return Situation(told), mail.head.text("x-error-mail-situation-reason", MAX_REASON)


def _form(mail: Mail, layout: Layout, trace: str) -> Form:
    if "x-error-mail-client" in mail.head.fields:
        return Form.CLIENT
    return Form.DEFAULT if layout.form is Form.PLAIN and trace else layout.form


def _message_and_trace(text: str, trace: Trace | None) -> tuple[str, str]:
    """The trace apart from what stands above and below it."""
    if trace is None:
        return text.strip(), ""
    around = (text[: trace.start].strip(), text[trace.end :].strip())
    return "\n\n".join(filter(None, around)), text[trace.start : trace.end]


def _number(text: str, least: int, most: int) -> int | None:
    """The number if `text` is one between the two, else None."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return int(text) if least <= int(text) <= most else None


# --- The app's name ---------------------------------------------------------------------------------------------------

_ANSWERED = re.compile(r"(?:(?:re|fwd?|aw|wg|tr|sv) ?: ?){1,10}", re.IGNORECASE)
_BRACKET = re.compile(r"\[([^\[\]]{1,60})\]")


def _app_name(mail: Mail, apps: Iterable[AppRule]) -> str:
    for app in apps:
        if _fits(mail.sender, app.sender) and _fits(mail.subject, app.subject):
            return one_line(app.name, _MAX_LABEL)
    return _named_in(mail.subject) or mail.sender or UNKNOWN_APP


@memoized(size=100_000, largest=1_000)
def _named_in(subject: str) -> str:
    """The app that a subject names, "" for none; kept, since an app's mails have the same one again and again."""
    subject = _ANSWERED.sub("", subject, count=1) if _ANSWERED.match(subject) else subject
    bracket = _BRACKET.match(subject)
    if bracket and bracket[1].strip() and not parse_level(bracket[1]):
        return bracket[1].strip()
    return subject if len(subject) <= _MAX_NAME and not any(char.isdigit() for char in subject) else ""


def _fits(text: str, glob: str) -> bool:
    return glob == "*" or fnmatchcase(text.lower(), glob.lower())
