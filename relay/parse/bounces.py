"""Recognize bounces and automatic replies about the relay's own mails (ingest: such a mail is counted, never reported).

A bounce of a digest that was taken for an error would make another digest, which bounces again: a loop. Such a mail was
sent by a machine (`multipart/report`, `Auto-Submitted: auto-replied`, a null sender, MAILER-DAEMON and similar), and it
is about a mail of ours: it contains that mail's `X-Error-Mail-Relay` header, refers to its Message-ID, or is the
automatic reply of a recipient of ours. A bounce of any other mail is an error like any other.

Guarantee: pure, in time linear in the content.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.parse.mime.headers import Head
from relay.parse.mime.sanitize import one_line

MAX_BOUNCES = 100
"""Recipients of one report that are read."""
_MAX_REASON = 150

_FLAGS = re.IGNORECASE | re.MULTILINE
_OUR_HEADER = re.compile(rb"^[> \t]{0,10}X-Error-Mail-Relay:[ \t]*[a-z-]+", _FLAGS)
_OUR_ID = r"<([0-9a-f]{32})@%s>"
_MACHINES = frozenset(("mailer-daemon", "postmaster", "mail-daemon", "maildaemon"))
_REPLY_FIELDS = frozenset(("x-autoreply", "x-autorespond", "x-autoreply-from"))
_RECIPIENT = re.compile(
    rb"^(?:Final|Original)-Recipient:[^;\n]{0,40};[ \t]*<?([^\s<>;]{1,320})>?", re.IGNORECASE | re.MULTILINE
)
_STATUS = re.compile(rb"^Status:[ \t]*([245]\.\d{1,3}\.\d{1,3})", _FLAGS)
_ACTION = re.compile(rb"^Action:[ \t]*([a-z]+)", _FLAGS)
_DIAGNOSTIC = re.compile(
    rb"^Diagnostic-Code:[^;\n]{0,40};[ \t]*([^\n]{0,300}(?:\n[ \t][^\n]{0,300}){0,5})", re.IGNORECASE | re.MULTILINE
)
_PARAGRAPH = re.compile(
    rb"^[ \t]{0,8}<?([^\s<>@]{1,64}@[^\s<>:]{1,255})>?:?[ \t\r]*\n?((?:[^\r\n]{1,300}\r?\n?){1,6})", re.MULTILINE
)
"""An address and what follows it, in reports that are made for people."""
_REPLY_CODE = re.compile(r"\b[45]\d\d[ -](?=\S)")


class Ourselves(NamedTuple):
    """By what a mail refers to the relay."""

    domain: str = ""
    """The domain of the relay's Message-IDs."""
    recipients: frozenset[str] = frozenset()
    """Everybody who gets digests, in lower case."""


NOBODY = Ourselves()
"""Without a configuration: only the header of an original that is part of the report counts."""

_SIGNS = frozenset(("auto-submitted", "precedence")) | _REPLY_FIELDS
"""A reply that a program wrote has one of these header fields."""


class Bounce(NamedTuple):
    """One recipient that a mail of ours did not reach."""

    recipient: str
    """In lower case; "" if the report does not name it."""
    reason: str
    """One line, such as `5.1.1 User unknown`."""
    message: str
    """The id of our message (32 hex digits), "" if the report does not name it."""


def is_about_us(head: Head, content: bytes, ours: Ourselves, *, null_sender: bool) -> bool:
    """Return whether this mail is a bounce of, or an automatic reply to, a mail of the relay.

    `null_sender`: the envelope's sender was `<>`.
    """
    machine = head.sender.partition("@")[0] in _MACHINES
    if not (machine or null_sender or head.kind == "multipart/report") and _SIGNS.isdisjoint(head.fields):
        return False  # most mails
    replied = _is_reply(head)
    if not (replied or machine or null_sender or head.kind == "multipart/report" or _is_bulk(head)):
        return False
    if _OUR_HEADER.search(content) or _message_id(content, ours):
        return True
    return replied and not machine and head.sender in ours.recipients


def read(head: Head, content: bytes, ours: Ourselves) -> list[Bounce]:
    """Return the recipients that a report of a failed delivery names, [] for any other mail."""
    message = _message_id(content, ours)
    found = [_of_status(block, message) for block in re.split(rb"\r?\n\r?\n", content) if _RECIPIENT.search(block)]
    if found:
        return [bounce for bounce in found if bounce][:MAX_BOUNCES]
    lines = {match[1].lower(): match[2] for match in _PARAGRAPH.finditer(content)}
    failed = [each.strip() for each in head.text("x-failed-recipients", 2000).lower().split(",") if each.strip()]
    known = [_line(each) for each in lines if _line(each) in ours.recipients]
    return [
        Bounce(each, _reason("", lines.get(each.encode(), b"")) or "undeliverable", message)
        for each in dict.fromkeys([*failed, *known])
    ][:MAX_BOUNCES]


def _is_reply(head: Head) -> bool:
    """Return whether the mail is an automatic reply (RFC 3834), such as a vacation notice."""
    submitted = head.text("auto-submitted", 100).lower()
    precedence = head.text("precedence", 100).lower()
    return (
        submitted.startswith("auto-replied") or precedence == "auto_reply" or bool(_REPLY_FIELDS & head.fields.keys())
    )


def _is_bulk(head: Head) -> bool:
    submitted = head.text("auto-submitted", 100).lower()
    return head.text("precedence", 100).lower() in {"bulk", "junk", "list"} or submitted.startswith("auto-")


def _message_id(content: bytes, ours: Ourselves) -> str:
    if not ours.domain:
        return ""
    found = re.search(_OUR_ID % re.escape(ours.domain), content.decode("latin-1"), re.IGNORECASE)
    return found[1].lower() if found else ""


def _of_status(block: bytes, message: str) -> Bounce | None:
    """Read the fields about one recipient (RFC 3464 section 2.3). Returns None for a delay or a success."""
    action, status = _ACTION.search(block), _STATUS.search(block)
    if action and action[1].lower() != b"failed":
        return None
    diagnostic = _DIAGNOSTIC.search(block)
    reason = _reason(_line(status[1]) if status else "", diagnostic[1] if diagnostic else b"")
    names = _RECIPIENT.findall(block)
    return Bounce(_line(names[0]).lower(), reason or "undeliverable", message)


def _reason(status: str, diagnostic: bytes) -> str:
    """Return the server's own words without the reply code, with the enhanced status code before them."""
    text = _line(diagnostic)
    code = _REPLY_CODE.search(text)
    words = text[code.end() :] if code else text
    return (words if not status or words.startswith(status) else f"{status} {words}").strip()[:_MAX_REASON]


def _line(raw: bytes) -> str:
    return one_line(raw.decode("utf-8", "replace"), 400)
