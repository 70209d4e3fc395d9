r"""What a reply of the upstream means: its cause, and whether waiting, another address, or another setting helps.

Providers use one reply code for many things (550 and 554 for a full mailbox, a daily limit, a wrong sender, spam). The
order of evidence is: the enhanced status code (RFC 3463) where it is specific, then the words, then the code and the
step. `tests/data/upstream_replies.tsv` has real replies of the providers, each with its cause.

Guarantee: pure, bounded by the length of the text (200 characters, see `RecipientReply`). A limit is never mistaken for
a refusal of the message, whatever code it has.
"""

from __future__ import annotations

import re

from relay.model.cause import Cause, Meaning
from relay.model.reply_words import CODES, LOGIN, SIZE, STORE, WORDS

_PASSES = frozenset(
    cause
    for cause in Cause
    if cause.meaning in {Meaning.WAIT, Meaning.WAIT_LONG}
    or cause in {Cause.EHLO_NAME, Cause.ENCRYPTION, Cause.RELAYING, Cause.CREDENTIALS, Cause.ACCOUNT}
)
"""Causes that a 4xx reply can have; all others are only a guess there, and the server asks for another try."""

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_TRAILING = re.compile(r"\(#([45]\.\d\.\d)\)")
"""Where qmail writes the enhanced status code."""
_CODE_PATTERNS = {cause: re.compile(pattern) for cause, pattern in CODES.items()}
_WORD_PATTERNS = tuple((cause, re.compile("|".join(words), re.IGNORECASE)) for cause, words in WORDS)
_LOGIN_PATTERNS = tuple((cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in LOGIN)
_SIZE = re.compile("|".join(SIZE), re.IGNORECASE)
_STORE = re.compile("|".join(STORE), re.IGNORECASE)
_BY_STEP = {"MAIL": Cause.MAIL_REFUSED, "RCPT": Cause.UNKNOWN_RECIPIENT}
_AUTH_CODES = frozenset({530, 534, 535, 538})
_LOGIN_CODES = _AUTH_CODES | {550, 554}
"""Codes with which servers refuse a login. Microsoft uses 550 for one that needs OAuth2."""


def cause_of(code: int, text: str, step: str = "") -> Cause:
    """Return why the server replied `code text` at `step` (a command, or another name for the end of the content).

    `code` 0 stands for a missing reply.
    """
    if code == 0:
        return Cause.NO_REPLY
    if code // 100 == 2:
        return Cause.ACCEPTED
    cause = _of_refusal(code, text, step)
    if code // 100 == 4 and cause not in _PASSES:
        return Cause.TEMPORARY
    return cause


def _of_refusal(code: int, text: str, step: str) -> Cause:
    enhanced = _ENHANCED.match(text)
    words = text[enhanced.end() :] if enhanced else text
    trailing = _TRAILING.search(words)
    return (
        (_by_login(text) if code in _LOGIN_CODES else None)
        or (_by_code(enhanced[1]) if enhanced else None)
        or _by_size(code, words, bare=enhanced is None)
        or _by_words(words)
        or (_by_code(trailing[1]) if trailing else None)
        or _by_reply_code(code, enhanced[1] if enhanced else "", step)
    )


def _by_size(code: int, words: str, *, bare: bool) -> Cause | None:
    """Only a 552 without an enhanced code may say by its words that the message is too large."""
    if not _SIZE.search(words) or _STORE.search(words):
        return None
    return Cause.TOO_LARGE if bare and code == 552 else Cause.CONTENT


def _by_reply_code(code: int, enhanced: str, step: str) -> Cause:
    if code == 552 and not enhanced:  # "exceeded storage allocation" (RFC 5321 section 4.2.3)
        return Cause.MAILBOX_FULL
    if step in {"EHLO", "HELO"}:
        return Cause.EHLO_NAME
    if code // 100 == 4 or enhanced.startswith("4"):
        return Cause.TEMPORARY
    return Cause.CREDENTIALS if code in _AUTH_CODES else _BY_STEP.get(step, Cause.CONTENT)


def _by_login(text: str) -> Cause | None:
    return next((cause for cause, pattern in _LOGIN_PATTERNS if pattern.search(text)), None)


def _by_code(enhanced: str) -> Cause | None:
    return next((cause for cause, pattern in _CODE_PATTERNS.items() if pattern.fullmatch(enhanced)), None)


def _by_words(words: str) -> Cause | None:
    return next((cause for cause, pattern in _WORD_PATTERNS if pattern.search(words)), None)
