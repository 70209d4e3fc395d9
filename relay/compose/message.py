"""Makes the bytes of a mail from its subject and its two bodies, and takes the bodies out again.

Guarantee: equal input, equal bytes. They are 7-bit with CRLF line ends and lines of at most
998 characters (RFC 5322, section 2.1.1), so no upstream has a reason to change them; no text
becomes a header but the subject, and that stays one header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import Policy
from email.utils import parseaddr
from typing import Self

from relay.model import MessageKind

_MOST_NAMED = 1_500
"""Characters of addresses beyond which the To header names nobody."""

_SHORT = 8_000
"""Characters of a text that even a server with little room takes; the least it must take is 64 KiB (RFC 5321,
section 4.5.3.1.7)."""
_LEFT_OUT = (
    "the mail server refused this mail as too large; what stood here is on the dashboard, and `relay groups` lists it"
)

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


class _Verbatim(str):
    """A header's value that is written as it stands (`EmailPolicy` leaves that to values with a `name` and a `fold`).

    The library's own way is lossy here: it decodes what looks like an encoded word in a subject, line breaks included,
    loses spaces between the encoded words it makes, and encodes long References, so that clients do not thread.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, value: str) -> Self:
        self = super().__new__(cls, value)
        self.name = name
        return self

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What the headers are made of."""

    id: str
    kind: MessageKind
    sender: str
    """An address, or a name and an address in angle brackets."""
    recipients: Sequence[str]
    at: datetime
    thread: str = ""
    """Message-ID of the letter this one belongs to."""

    @property
    def message_id(self) -> str:
        """The id at the sender's domain, in angle brackets."""
        return f"<{self.id}@{_domain(self.sender)}>"


def compose(heading: Heading, *, subject: str, text: str, html: str) -> bytes:
    """The mail as it goes over the wire.

    `Auto-Submitted` keeps other robots from answering (RFC 3834, section 5); by
    `X-Error-Mail-Relay` we know our own mail when it comes back.
    """
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = _address(heading.sender) or "postmaster@localhost"
    mail["To"] = _named(heading.recipients)
    mail["Subject"] = _Verbatim("Subject", _encoded(subject))
    mail["Date"] = heading.at
    mail["Message-ID"] = heading.message_id
    if _MESSAGE_ID.fullmatch(heading.thread):
        mail["In-Reply-To"] = _Verbatim("In-Reply-To", heading.thread)
        mail["References"] = _Verbatim("References", heading.thread)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Error-Mail-Relay"] = heading.kind.value
    mail.set_content(text, cte=_shorter_encoding(text))
    mail.add_alternative(html, subtype="html", cte=_shorter_encoding(html))
    for part in mail.iter_parts():
        del part["MIME-Version"]
    mail.set_boundary(f"=_{heading.id}")  # never occurs in either encoding (RFC 2045, section 6.7)
    return mail.as_bytes()


def shorter(raw: bytes) -> bytes | None:
    """The same mail under the same headers with less in it; None where nothing more can go.

    First the HTML goes; then, of a text above `_SHORT` characters, the middle, which a line says.
    """
    text, html = text_part(raw), html_part(raw)
    if not text or (not html and len(text) <= _SHORT):
        return None
    if not html:
        text = _without_middle(text)
    head, _, _ = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    kept = [field for field in fields if not field.lower().startswith((b"content-", b"mime-version:"))]
    body = EmailMessage(policy=policy.SMTP)
    body.set_content(text, cte=_shorter_encoding(text))
    return b"\r\n".join([*kept, body.as_bytes()])


def _without_middle(text: str) -> str:
    """The beginning of a digest has its summary, its end the books."""
    head, tail = text[: _SHORT * 2 // 3], text[-_SHORT // 4 :]
    return f"{head.rpartition(chr(10))[0]}\n\n[{_LEFT_OUT}]\n\n{tail.partition(chr(10))[2]}"


def text_part(raw: bytes) -> str:
    """The plain text of a mail, "" where it has none."""
    return _part(raw, "plain")


def html_part(raw: bytes) -> str:
    """The HTML of a mail, "" where it has none."""
    return _part(raw, "html")


def _part(raw: bytes, subtype: str) -> str:
    mail = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    body = mail.get_body((subtype,))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _shorter_encoding(text: str) -> str:
    """Quoted-printable, which people can read in a raw mail, but for texts that it would blow up."""
    size = len(text.encode())
    plain = sum(char.isascii() and char != "=" for char in text)
    return "quoted-printable" if plain + 3 * (size - plain) < 1.4 * size else "base64"


def _encoded(subject: str) -> str:
    """One line of text as RFC 2047 has it; encoded too where it would be taken for something encoded."""
    charset = "us-ascii" if subject.isascii() and "=?" not in subject else "utf-8"
    return Header(subject, charset, header_name="Subject").encode(linesep=policy.SMTP.linesep)


def _domain(sender: str) -> str:
    address = _address(sender)
    return address.domain if address else "localhost"


def _address(text: str) -> Address | None:
    """An address as a header may hold it (its domain in ASCII, RFC 5890); None where that cannot be."""
    name, spec = parseaddr(text)
    local, _, domain = spec.rpartition("@")
    try:
        return Address(display_name=name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (HeaderParseError, ValueError, IndexError):  # what the library raises for the many ways to be none
        return None


def _named(recipients: Sequence[str]) -> tuple[Address, ...] | str:
    """Those who can be named; nobody where there are too many, for the header counts against the mail's size."""
    named = tuple(address for recipient in recipients if (address := _address(recipient)))
    if named and sum(len(str(address)) for address in named) <= _MOST_NAMED:
        return named
    return "undisclosed-recipients:;"  # an empty group, RFC 5322, section 3.4
