"""The upstream's replies and errors as text for administrators: one line, limited in length, without a secret.

All input from the connection passes through `Scrub` before it is part of a `RecipientReply` or a `detail`: a server
can repeat anything it received, also the password.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import string
from typing import NamedTuple

from relay.model import Failure, Meaning, RecipientReply, Verdict, cause_of

MAX_TEXT = 200
"""Characters of a reply text that are kept."""
PIECE = 6
"""Length in characters from which a part of the password, in any encoding it is sent in, is masked.

Servers shorten what they repeat, and wrap it over several lines."""
AUTH_CODES = frozenset({530, 534, 535, 538})
"""Replies about credentials, whatever the command (RFC 4954 section 6)."""
END_OF_DATA = "the end of DATA"
"""The step of the reply to the content, after the final dot."""

UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's error codes for a certificate of an unknown issuer (X509_V_ERR_…)."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_VERDICTS = {
    Meaning.ACCEPTED: Verdict.ACCEPTED,
    Meaning.RECIPIENT: Verdict.PERMANENT,
    Meaning.MESSAGE: Verdict.PERMANENT,
}


class Reply(NamedTuple):
    """One SMTP reply: its code, 200..599, and its text after `Scrub`."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the command succeeded (2xx)."""
        return self.code // 100 == 2

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class UpstreamFailed(Exception):
    """A try ended with a failure of the upstream; `detail` is safe to show."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def unwilling(step: str, reply: Reply) -> UpstreamFailed:
    """Return the failure for a refusal that is not about a message."""
    return UpstreamFailed(Failure.UNWILLING, f"it refused at {step}: {reply}")


class Scrub:
    """Makes the upstream's text safe to show: one short printable line without the credentials or parts of them."""

    def __init__(self, username: str, password: str) -> None:
        self._tokens: list[tuple[str, ...]] = []
        self._password = _encodings(username, password)
        self._mask_these(self._password)

    def hide_token(self, *texts: str) -> None:
        """Mask an access token too, given as each of the texts in which it is sent. The last two tokens count."""
        found = tuple(text for text in texts if text)
        if found not in self._tokens:
            self._tokens = [*self._tokens[-1:], found]
            self._mask_these((*self._password, *(text for texts in self._tokens for text in texts)))

    def _mask_these(self, encodings: tuple[str, ...]) -> None:
        encodings = tuple(sorted(encodings, key=len, reverse=True))
        self._secrets = re.compile("|".join(map(re.escape, encodings)), re.IGNORECASE) if encodings else None
        self._pieces = {_lower(text[at : at + PIECE]) for text in encodings for at in range(len(text) - PIECE + 1)}

    def __call__(self, text: str) -> str:
        """Return `text` as one line of at most `MAX_TEXT` printable characters, with `***` in place of a secret."""
        text = one_text(self._mask(text))
        printable = "".join(char if char.isprintable() else " " for char in self._mask(text))
        line = self._mask(" ".join(printable.split()))
        return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"

    def _mask(self, text: str) -> str:
        return self._mask_pieces(self._secrets.sub("***", text)) if self._secrets else text

    def _mask_pieces(self, text: str) -> str:
        """Return `text` with `***` for each stretch that consists of pieces (`PIECE` characters) of a secret."""
        lowered, masked, copied_to, piece_to = _lower(text), "", 0, 0
        for at in range(len(text) - PIECE + 1):
            if lowered[at : at + PIECE] in self._pieces:
                if at >= piece_to:
                    masked, copied_to = f"{masked}{text[copied_to:at]}***", at
                copied_to = piece_to = at + PIECE
        return masked + text[copied_to:]


def _lower(text: str) -> str:
    """Return `text` with ASCII letters in lower case. The length stays: `str.lower` makes some characters longer."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _encodings(username: str, password: str) -> tuple[str, ...]:
    """Return the texts in which a password is sent, the longest first. Servers may repeat them in any case."""
    if not password:
        return ()
    plain = f"\0{username}\0{password}"
    encoded = [base64.b64encode(text.encode()).decode() for text in (plain, password)]
    texts = {password, *encoded, *(text.rstrip("=") for text in encoded)}
    return tuple(sorted(texts, key=len, reverse=True))


def recipient_reply(reply: Reply, step: str) -> RecipientReply:
    """Return the reply with its verdict; temporary if it is not 2xx, 4xx or 5xx (RFC 5321 section 4.2.1)."""
    if reply.code // 100 not in {2, 4, 5}:
        text = f"unexpected reply: {reply}"[:MAX_TEXT]
        return RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=text, step=step)
    meaning = cause_of(reply.code, reply.text, step).meaning
    verdict = _VERDICTS.get(meaning, Verdict.TEMPORARY)
    return RecipientReply(verdict=verdict, code=reply.code, text=reply.text, step=step)


def one_text(lines: str) -> str:
    """Return the lines of a reply without the codes that each line repeats (RFC 2034 section 4), and no line twice."""
    first, *others = (line.strip() for line in lines.splitlines() or [""])
    enhanced = _ENHANCED.match(first)
    if enhanced:
        others = [line.removeprefix(enhanced[0]).strip() for line in others]
    return " ".join(filter(None, dict.fromkeys([" ".join(first.split()), *others])))


def missing_reply(text: str) -> RecipientReply:
    """Return the result of a missing reply to the content: the upstream may have accepted the message."""
    return RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=text, step=END_OF_DATA)


def os_error_text(error: BaseException) -> str:
    """Return the text of an error of the operating system or the TLS library, without numbers and addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = " (set ca_file for a certificate authority of your own)" if error.verify_code in UNKNOWN_ISSUER else ""
        return error.verify_message + advice
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no TLS").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved ({error.strerror})"
    known = getattr(error, "errno", None)
    numbers = [known] if known else [int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))]
    return " or ".join(dict.fromkeys(os.strerror(number) for number in numbers)) or "the connection broke"
