"""What an upstream said or did, in words an administrator can act on: one line, bounded, without a secret.

Whatever comes from the wire passes through `Scrub` before it may stand in an `RecipientReply` or a
`detail`: a server can quote anything back at us, the password included.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import string
from typing import NamedTuple

from relay.model import Failure, RecipientReply, Verdict

MAX_TEXT = 200
"""Characters of an upstream's words that are kept."""
PIECE = 6
"""Characters in a row of a password, as it goes over the wire, that are taken for a piece of it: servers cut what they
repeat, and break it over lines."""
AUTH_CODES = frozenset({530, 534, 535, 538})
"""Replies about credentials, whatever the command (RFC 4954 section 6)."""

UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""What OpenSSL calls a certificate whose issuer nobody vouches for (X509_V_ERR_…)."""


class Reply(NamedTuple):
    """One reply: its code, 200..599, and its words as they may be shown."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the command was done."""
        return self.code // 100 == 2

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class Failed(Exception):
    """A try ended with trouble that is the upstream's; `detail` is fit to be shown."""

    def __init__(self, trouble: Failure, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail


class Scrub:
    """Makes the upstream's words fit to be shown: printable, one line, short, the credentials and pieces of them taken
    out.
    """

    def __init__(self, username: str, password: str) -> None:
        forms = _forms(username, password)
        self._secrets = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE) if forms else None
        self._pieces = {_plain(form[at : at + PIECE]) for form in forms for at in range(len(form) - PIECE + 1)}

    def __call__(self, text: str) -> str:
        """Return `text` as one line of at most `MAX_TEXT` printable characters, `***` in place of a secret."""
        shown = "".join(char if char.isprintable() else " " for char in self._mask(text))
        line = self._mask(" ".join(shown.split()))
        return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"

    def _mask(self, text: str) -> str:
        return self._mask_pieces(self._secrets.sub("***", text)) if self._secrets else text

    def _mask_pieces(self, text: str) -> str:
        """Return `text` with `***` for each stretch whose every `PIECE` characters in a row are a piece of a secret."""
        plain, shown, kept_to, piece_to = _plain(text), "", 0, 0
        for at in range(len(text) - PIECE + 1):
            if plain[at : at + PIECE] in self._pieces:
                if at >= piece_to:
                    shown, kept_to = f"{shown}{text[kept_to:at]}***", at
                kept_to = piece_to = at + PIECE
        return shown + text[kept_to:]


def _plain(text: str) -> str:
    """Return `text` in small letters, character by character: some have a small form that is longer."""
    return text.translate(_SMALL)


_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _forms(username: str, password: str) -> tuple[str, ...]:
    """The shapes in which a password goes over the wire, the longest first; servers repeat them in any case."""
    if not password:
        return ()
    plain = f"\0{username}\0{password}"
    encoded = [base64.b64encode(text.encode()).decode() for text in (plain, password)]
    forms = {password, *encoded, *(text.rstrip("=") for text in encoded)}
    return tuple(sorted(forms, key=len, reverse=True))


def answer(reply: Reply, step: str) -> RecipientReply:
    """Return the verdict that a reply's first digit gives (RFC 5321 section 4.2.1); neither 2, 4 nor 5 is no word."""
    verdicts = {2: Verdict.ACCEPTED, 4: Verdict.TEMPORARY, 5: Verdict.PERMANENT}
    verdict = verdicts.get(reply.code // 100)
    if verdict is None:
        return RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=f"it answered with {reply}"[:MAX_TEXT], step=step)
    return RecipientReply(verdict=verdict, code=reply.code, text=reply.text, step=step)


def unanswered(text: str) -> RecipientReply:
    """Return the verdict where the upstream may have taken the letter and its word never came."""
    return RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=text, step="the content")


def os_words(error: BaseException) -> str:
    """Return what the operating system or the TLS library says of an error, without numbers and addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        own = " (ca_file names an authority of your own)" if error.verify_code in UNKNOWN_ISSUER else ""
        return error.verify_message + own
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no TLS").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    known = getattr(error, "errno", None)
    numbers = [known] if known else [int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))]
    return " or ".join(dict.fromkeys(os.strerror(number) for number in numbers)) or "the connection broke"
