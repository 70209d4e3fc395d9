"""Compose the mail for a queued report: an RFC 5322 message with extra headers for counts and origin.

Guarantees: the same `QueuedMail` always gives the same bytes. No value can add a header or a line: control characters
become spaces, and non-ASCII or suspicious text becomes encoded words (RFC 2047). This is done here, because older
versions of `EmailMessage` write an encoded newline in a subject as a real newline.

    X-Error-Mail-Client: 1                          version of this protocol
    X-Error-Mail-Record: 32 lower-case hex digits   the same on every attempt; the relay remembers it for 24 hours
    X-Error-Mail-Count: 1..1000000                  errors that this mail stands for
    X-Error-Mail-Dropped: 1..1000000                errors dropped since this process's last accepted mail
    X-Error-Mail-App, -Environment, -Release, -Host, -Logger, -Level: text, at most 200 characters each
    X-Error-Mail-Situation, -Situation-Reason       which of the seven situations applies, and the reason

Empty headers are left out. If the report has a snapshot, the mail has two parts: the text, and the JSON that
`json_part` describes, as `application/vnd.error-mail+json`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import Message
from email.utils import format_datetime, formataddr, getaddresses

from app_client.capture.report import Report
from app_client.delivery import json_part
from app_client.delivery.queue import QueuedMail

PROTOCOL = "1"
_VALUE = 200  # characters of a text header
_SUBJECT = 1000
_LINE = 900  # bytes; RFC 5321 section 4.5.3.1.6 allows 998 without the line end
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of the mails of one handler."""

    app: str
    environment: str
    release: str
    host: str
    package: str = ""
    """The app's top package, if the app is installed as a package."""

    @property
    def domain(self) -> str:
        """The host as a valid domain for EHLO and Message-ID (RFC 5321 section 4.1.2)."""
        name = re.sub(r"[^A-Za-z0-9.-]", "-", self.host[:_VALUE]).strip(".-")
        return name or "localhost"


def addresses(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return pairs of display name and address, one or more per text ("a@b", "Name <a@b>", "a@b, c@d").

    Raises ValueError for a text without an address, or with one that a mail cannot contain.
    """
    pairs = []
    for text in texts:
        found = [(name, address) for name, address in getaddresses([text]) if address]
        if not found or _CONTROL.search(text):
            raise ValueError(f"no mail address: {text!r}")
        pairs += found
    for _, address in pairs:
        if not address.isascii() or " " in address:
            raise ValueError(f"a mail address must be plain ASCII (domains in their xn-- form): {address!r}")
    return pairs


def envelope(report: Report) -> tuple[str, list[str]]:
    """Return the addresses for MAIL and RCPT; raises ValueError for an invalid one."""
    return addresses((report.sender,))[0][1], [address for _, address in addresses(report.recipients)]


def compose(queued: QueuedMail, origin: Origin) -> bytes:
    """Return the whole mail with CRLF line ends; raises ValueError for an invalid address."""
    report = queued.report
    facts = _facts(report, origin)
    mail = _part(report.full_text())
    if report.snapshot is not None:
        mail = _with_json_part(mail, queued, json_part.write(report.snapshot, facts, origin.package))
    mail["From"] = _address_list((report.sender,))
    mail["To"] = _address_list(report.recipients)
    mail["Subject"] = _header(report.subject, _SUBJECT)
    mail["Date"] = format_datetime(datetime.fromtimestamp(report.created, UTC).astimezone())
    mail["Message-ID"] = f"<{queued.record_id}@{origin.domain}>"
    for name, value in (_counts(queued) | facts | _situation(report)).items():
        if value:
            mail[f"X-Error-Mail-{name}"] = _header(value, _VALUE)
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))


def _counts(queued: QueuedMail) -> dict[str, str]:
    return {
        "Client": PROTOCOL,
        "Record": queued.record_id,
        "Count": str(queued.count),
        "Dropped": str(queued.dropped or ""),
    }


def _facts(report: Report, origin: Origin) -> dict[str, str]:
    return {
        "App": origin.app,
        "Environment": origin.environment,
        "Release": origin.release,
        "Host": origin.host,
        "Logger": report.logger,
        "Level": report.level,
    }


def _situation(report: Report) -> dict[str, str]:
    return {"Situation": report.situation, "Situation-Reason": report.situation_reason}


def _part(text: str) -> "Message[str, str | Header]":
    """Return a text part: 7-bit where possible, else base64. A lone surrogate (from a file name) becomes an escape."""
    content = text.encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    plain = content.isascii() and max(map(len, content.split(b"\n"))) <= _LINE
    mail: Message[str, str | Header] = Message()
    mail.set_payload(content.decode(), "us-ascii" if plain else "utf-8")
    return mail


def _with_json_part(
    text: "Message[str, str | Header]", queued: QueuedMail, content: str
) -> "Message[str, str | Header]":
    """Return text and JSON as one multipart. The boundary holds the random record id, so no part can contain it."""
    attachment = _part(content)
    attachment.replace_header("Content-Type", json_part.TYPE)
    attachment["Content-Disposition"] = 'attachment; filename="error.json"'
    mail: Message[str, str | Header] = Message()
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = f'multipart/mixed; boundary="=_{queued.record_id}"'
    for part in (text, attachment):
        del part["MIME-Version"]
        mail.attach(part)
    return mail


def _address_list(texts: tuple[str, ...]) -> Header:
    return Header(", ".join(formataddr(pair, "utf-8") for pair in addresses(texts)), "us-ascii")


def _header(value: str, limit: int) -> Header:
    text = _CONTROL.sub(" ", value)[:limit].encode("utf-8", "backslashreplace").decode()
    plain = text.isascii() and "=?" not in text and len(text) <= _VALUE
    return Header(text, "us-ascii" if plain else "utf-8")
