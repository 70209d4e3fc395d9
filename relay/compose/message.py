"""Build the bytes of a mail from its subject and its two bodies, and read the bodies back from the bytes.

Guarantee: equal input gives equal bytes. They are 7-bit, with CRLF line ends and lines of at most 998 characters
(RFC 5322, section 2.1.1), so no upstream has a reason to change them. The subject is the only text that becomes a
header, and it stays one header.
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

_MAX_TO_LENGTH = 1_500
"""Characters; if the addresses are longer together, the To header names no recipient."""

_SHORT = 8_000
"""Characters of a text that any server should accept; the minimum that it must accept is 64 KiB (RFC 5321,
section 4.5.3.1.7)."""
_LEFT_OUT = (
    "the mail server refused this mail as too large; the errors left out here are on the dashboard and in "
    "`relay groups`"
)

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


class _Verbatim(str):
    """A header value that is written unchanged (`EmailPolicy` keeps values that have a `name` and a `fold`).

    The standard library would change it. In a subject it decodes text that looks like an encoded word, line breaks
    included, and loses spaces between the encoded words that it writes. It encodes long References, so that mail
    clients do not recognise the thread.
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
    """The values for the headers of a mail."""

    id: str
    kind: MessageKind
    sender: str
    """An address, or a name followed by an address in angle brackets."""
    recipients: Sequence[str]
    at: datetime
    thread: str = ""
    """Message-ID of the first mail of the thread; "" for a mail outside of any thread."""

    @property
    def message_id(self) -> str:
        """The id at the sender's domain, in angle brackets."""
        return f"<{self.id}@{_domain(self.sender)}>"


def compose(heading: Heading, *, subject: str, text: str, html: str) -> bytes:
    """Return the mail as it is sent to the upstream.

    `Auto-Submitted` keeps automatic responders from answering (RFC 3834, section 5). By `X-Error-Mail-Relay` the relay
    recognises its own mail when it comes back.
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
    mail.set_boundary(f"=_{heading.id}")  # cannot occur in either encoding (RFC 2045, section 6.7)
    return mail.as_bytes()


def shorter(raw: bytes) -> bytes | None:
    """Return the mail with the same headers and less content, or None if nothing more can be left out.

    The first call leaves out the HTML. The second one leaves out the middle of a text longer than `_SHORT` characters,
    and a line says so.
    """
    text, html = text_part(raw), html_part(raw)
    if not text or (not html and len(text) <= _SHORT):
        return None
    if not html:
        text = _without_middle(text)
    head, _, _ = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    unchanged = [field for field in fields if not field.lower().startswith((b"content-", b"mime-version:"))]
    body = EmailMessage(policy=policy.SMTP)
    body.set_content(text, cte=_shorter_encoding(text))
    return b"\r\n".join([*unchanged, body.as_bytes()])


def _without_middle(text: str) -> str:
    """Leave out the middle of a digest: its beginning has the summary, its end the books."""
    head, tail = text[: _SHORT * 2 // 3], text[-_SHORT // 4 :]
    return f"{head.rpartition(chr(10))[0]}\n\n[{_LEFT_OUT}]\n\n{tail.partition(chr(10))[2]}"


def text_part(raw: bytes) -> str:
    """Return the plain text of a mail, or "" if it has none."""
    return _part(raw, "plain")


def html_part(raw: bytes) -> str:
    """Return the HTML of a mail, or "" if it has none."""
    return _part(raw, "html")


def _part(raw: bytes, subtype: str) -> str:
    mail = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    body = mail.get_body((subtype,))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _shorter_encoding(text: str) -> str:
    """Return `quoted-printable`, which is readable in a raw mail, or `base64` if that is much shorter."""
    size = len(text.encode())
    plain = sum(char.isascii() and char != "=" for char in text)
    return "quoted-printable" if plain + 3 * (size - plain) < 1.4 * size else "base64"


def _encoded(subject: str) -> str:
    """Encode a line of text as in RFC 2047, also an ASCII text that looks like an encoded word."""
    charset = "us-ascii" if subject.isascii() and "=?" not in subject else "utf-8"
    return Header(subject, charset, header_name="Subject").encode(linesep=policy.SMTP.linesep)


def _domain(sender: str) -> str:
    address = _address(sender)
    return address.domain if address else "localhost"


def _address(text: str) -> Address | None:
    """Return the address for a header, with the domain in ASCII (RFC 5890), or None if it is not a valid address."""
    name, spec = parseaddr(text)
    local, _, domain = spec.rpartition("@")
    try:
        return Address(display_name=name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (HeaderParseError, ValueError, IndexError):  # the library raises all of these for invalid addresses
        return None


def _named(recipients: Sequence[str]) -> tuple[Address, ...] | str:
    """Return the valid addresses, or an empty group if they are too long: the header adds to the size of the mail."""
    named = tuple(address for recipient in recipients if (address := _address(recipient)))
    if named and sum(len(str(address)) for address in named) <= _MAX_TO_LENGTH:
        return named
    return "undisclosed-recipients:;"  # an empty group (RFC 5322, section 3.4)
