"""Turn a spool record or a decoded mail into a Report (ingest → parse → redact → fingerprint).

Guarantee: any record gives a Report, in bounded time and memory; no function raises. All its texts are bounded and free
of control characters except newline and tab. All texts except message, trace and text are one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from relay import traces
from relay.memo import memoized
from relay.model import MAX_COUNT, AppRule, Form, Level, Record, Report, Retained, Situation
from relay.parameterize import failure_words
from relay.parameterize.arguments import without_arguments
from relay.parse import json_part, mime
from relay.parse.bounces import NOBODY, Ourselves, is_about_us
from relay.parse.document import parts, subject
from relay.parse.document.document import Document
from relay.parse.document.document import read as read_document
from relay.parse.json_part import JsonPart
from relay.parse.layouts import Layout, parse_level
from relay.parse.mime import CLIENT_HEADER_PREFIX, Mail, one_line
from relay.parse.situations import MAX_REASON, Hint, situation

CONTENT_NOT_KEPT = "content not kept: there was no room for more than counting this mail"
"""The message of a mail without stored content (only a counter). A change of this text changes its fingerprint."""

UNKNOWN_APP = "unknown app"

_MAX_LABEL = 200
"""Characters of the value of a client header or a label."""
_MAX_LOCATION = 500
_MAX_NAME = 60
_MAX_DROPPED = 999_999_999
_SITUATIONS = frozenset(each.value for each in Situation)
_RECORD_ID = re.compile(r"[0-9a-f]{32}")


def parse(record: Record, apps: Iterable[AppRule]) -> Report:
    """Return the report of `record`; of several errors, that of the worst one. See `parse_all`."""
    return parse_all(record, apps)[0]


def parse_all(record: Record, apps: Iterable[AppRule], ours: Ourselves = NOBODY) -> list[Report]:
    """Return the reports of `record`: of its worst error, and of at most `MAX_FURTHER` other errors that it logs.

    The app is named by the client's header, else by the first rule that matches, else by the subject or the sender. A
    bounce of a mail of `ours`, and an automatic reply to one, is one report that is marked as our own.
    """
    sender = one_line(record.envelope.sender, 320).lower()
    if record.retained is Retained.COUNT or not record.content:
        bare = Mail(head=mime.Head(), subject="", sender=sender, text=CONTENT_NOT_KEPT)
        return _reports(bare, apps, size=record.size)
    mail = mime.read(record.content)
    if not mail.sender:
        mail = mail._replace(sender=sender)
    reports = _reports(mail, apps, size=record.size, cut=record.retained is Retained.ENDS)
    if reports[0].own or not is_about_us(mail.head, record.content, ours, null_sender=not record.envelope.sender):
        return reports
    return [replace(reports[0], own=True)]


def parse_text(subject: str, body: str) -> Report:
    """Return the report of a mail that is already decoded; its subject and text are read in the same way."""
    bare = Mail(head=mime.Head(), subject=one_line(subject, mime.MAX_HEADER), sender="", text=mime.bounded(body))
    return _reports(bare, (), size=len(body))[0]


def _reports(mail: Mail, apps: Iterable[AppRule], *, size: int, cut: bool = False) -> list[Report]:
    chosen = parts.report_of(mail)
    document = read_document(mail.subject, chosen.text)
    worst = _report(mail, apps, chosen, document, size=size, cut=cut)
    return [worst, *(_further(mail, worst, layout) for layout in document.further)]


def _further(mail: Mail, worst: Report, layout: Layout) -> Report:
    """Return the report of another error that is logged in the mail of `worst`."""
    found = traces.find(layout.text)
    message, trace = traces.split(layout.text, found)
    stated = {name: text for name in layout.fields if (text := _field(layout, name))}
    for name in ("environment", "host", "release"):
        stated.setdefault(name, getattr(worst, name))
    return Report(
        form=Form.DEFAULT if layout.form is Form.PLAIN and trace else layout.form,
        app=worst.app,
        app_guessed=worst.app_guessed,
        former_app=worst.former_app,
        message=message,
        trace=trace,
        request=layout.request,
        cut=worst.cut,
        reason="another error in the log of a mail",
        **_stated_values(mail, layout, stated, situation(found, message)),
    )


def _report(
    mail: Mail, apps: Iterable[AppRule], chosen: mime.Part, document: Document, *, size: int, cut: bool
) -> Report:
    layout = document.layout
    part = json_part.read(mail.json_part)
    found = traces.find(layout.text)
    message, trace = traces.split(layout.text, found)
    trace = trace or part.trace
    stated = _stated_fields(mail, layout, part)
    record_id = stated.get("record", "")
    named = AppName(stated["app"]) if stated.get("app") else _app_name(mail, apps, message)
    form = _form(mail, layout, trace)
    return Report(
        form=form,
        app=named.name,
        app_guessed=named.guessed,
        former_app=named.former if named.former != named.name else "",
        message=message,
        trace=trace,
        request=layout.request or part.request,
        template="" if trace else without_arguments(message, part.template, part.arguments),
        app_package=part.app_package,
        count=_number(stated.get("count", ""), 1, MAX_COUNT) or 1,
        record_id=record_id if _RECORD_ID.fullmatch(record_id) else "",
        dropped=_number(stated.get("dropped", ""), 0, _MAX_DROPPED) or 0,
        size=size,
        cut=cut,
        own="x-error-mail-relay" in mail.head.fields,
        headline=one_line(document.headline, _MAX_LOCATION),
        names=_names(document, mail, named.name, message) if form is Form.PLAIN and not trace else (),
        reason=_reason(document, chosen),
        text=mime.bounded(parts.whole_of(mail)) if document.partial or mail.others else "",
        **_stated_values(mail, layout, stated, _client_situation(mail) or situation(found, message)),
    )


_STATED = ("logger", "location", "module", "function", "time", "environment", "host", "release", "process", "thread")


def _stated_values(mail: Mail, layout: Layout, stated: Mapping[str, str], hint: Hint | None) -> dict[str, Any]:
    """Return the fields of a report that are taken over as they are stated."""
    return {
        **{name: stated.get(name, "") for name in _STATED},
        "subject": mail.subject,
        "sender": mail.sender,
        "level": parse_level(stated.get("level", "")) or layout.level or Level.ERROR,
        "situation": hint[0] if hint else None,
        "situation_reason": hint[1] if hint else "",
    }


def _reason(document: Document, chosen: mime.Part) -> str:
    """Return why message and trace are taken for the error."""
    if chosen.name:
        return f"{document.reason}, in the attachment {chosen.name}"
    return f"{document.reason}, in the HTML part" if chosen.kind == "text/html" else document.reason


_PLACES = frozenset(("logger", "location", "module", "function"))


def _names(document: Document, mail: Mail, app: str, message: str) -> tuple[tuple[str, str], ...]:
    """Return what identifies the error besides its message: the things that failed, and a subject that says more."""
    counts = app != mail.subject and not _PLACES & document.layout.fields.keys()  # a place says more than a subject
    more = subject.addition(mail.subject, message, strong=document.strong) if counts else ""
    return (*document.names, *((("subject", more),) if more else ()))


def _stated_fields(mail: Mail, layout: Layout, part: JsonPart) -> dict[str, str]:
    """Return the named fields: from the client's headers, else from labels in the text, else from the JSON part."""
    stated = dict(part.fields)
    for name in layout.fields:
        if text := _field(layout, name):
            stated[name] = text
    for name in mail.head.client_headers:
        if text := mail.head.text(name, _MAX_LABEL):
            stated[name.removeprefix(CLIENT_HEADER_PREFIX)] = text
    return stated


def _field(layout: Layout, name: str) -> str:
    return one_line(layout.fields[name], _MAX_LOCATION if name == "location" else _MAX_LABEL)


def _client_situation(mail: Mail) -> Hint | None:
    """Return the situation in the client's header; None if it is not one of the seven.

    The client saw the exception itself, so its header takes precedence over the text.
    """
    stated = mail.head.text("x-error-mail-situation", _MAX_LABEL)
    if stated not in _SITUATIONS:
        return None
    return Situation(stated), mail.head.text("x-error-mail-situation-reason", MAX_REASON)


def _form(mail: Mail, layout: Layout, trace: str) -> Form:
    if "x-error-mail-client" in mail.head.fields:
        return Form.CLIENT
    return Form.DEFAULT if layout.form is Form.PLAIN and trace else layout.form


def _number(text: str, least: int, most: int) -> int | None:
    """Return the number in `text` if it lies between `least` and `most`, else None."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return int(text) if least <= int(text) <= most else None


# --- Name of the app --------------------------------------------------------------------------------------------------

_REPLY_PREFIX = re.compile(r"(?:(?:re|fwd?|aw|wg|tr|sv) ?: ?){1,10}", re.IGNORECASE)
_BRACKET = re.compile(r"\[([^\[\]]{1,60})\]")


class AppName(NamedTuple):
    """The name of an app, and how it was found."""

    name: str
    guessed: bool = False
    """True if the name is a whole subject."""
    former: str = ""
    """The name that version 1 of the fingerprint gives; "" for the same one."""


def _app_name(mail: Mail, apps: Iterable[AppRule], message: str) -> AppName:
    for app in apps:
        if _matches(mail.sender, app.sender) and _matches(mail.subject, app.subject):
            return AppName(one_line(app.name, _MAX_LABEL))
    name, guessed = _app_in_subject(mail.subject)
    former = name or mail.sender or UNKNOWN_APP
    if not guessed and _is_state(name):
        name = ""
    if guessed and subject.repeats(name, message):
        name, guessed = "", False
    return AppName(name if guessed else app_of_sender(name or mail.sender), guessed, former)


def app_of_sender(sender: str) -> str:
    """Return the app's name for mails that name no app but `sender`, a From address or the name of a job.

    `root@web-3.example.com` gives `root@example.com`: the same program on another machine is the same app.
    """
    return _NUMBERED_HOST.sub(lambda found: "@" if found[1] else "", sender, count=1) or UNKNOWN_APP


_STATE_COUNT = re.compile(r"[ :#x]{0,2}\d{1,6}$")
_GOOD_STATES = frozenset(("resolved", "ok", "recovered", "recovery", "up", "open", "closed"))
"""States that are no words of failure."""


def _is_state(name: str) -> bool:
    """Return True for the state in the brackets of an alert, such as `FIRING:2` or `RESOLVED`."""
    word = _STATE_COUNT.sub("", name)
    return word.isalpha() and (word.lower() in _GOOD_STATES or failure_words.score(word) > 0)


@memoized(size=100_000, largest=1_000)
def _app_in_subject(subject: str) -> tuple[str, bool]:
    """Return the app named in a subject, "" if none, and whether the name is a guess: the subject as a whole.

    Memoized, because all mails of an app have the same subject.
    """
    subject = _REPLY_PREFIX.sub("", subject, count=1) if _REPLY_PREFIX.match(subject) else subject
    bracket = _BRACKET.match(subject)
    if bracket and bracket[1].strip() and not parse_level(bracket[1]):
        return bracket[1].strip(), False
    if not subject or len(subject) > _MAX_NAME or any(char.isdigit() for char in subject):
        return "", False
    return subject, True


_NUMBERED_HOST = re.compile(r"@(?=[a-z-]*\d)[a-z0-9-]{1,63}(?=$|\.[a-z0-9-]{1,63}\.)(\.?)")


def _matches(text: str, glob: str) -> bool:
    return glob == "*" or fnmatchcase(text.lower(), glob.lower())
