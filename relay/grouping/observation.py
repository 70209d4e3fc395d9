"""What the learner sees of a report: the place that reported it, and the words of its message (components → learning).

Pure. The place, within an app, is everything that is never learned: exception types, calls, file, function, logger,
labelled things and the number of words. Two reports can turn out to be one error only if their places are equal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from relay.grouping.components import Components
from relay.grouping.evidence import LEAST_FIXED_WORDS, MAX_WORD, fixed_words
from relay.model import Report

MAX_WORDS = 60
"""Words of the longest message from which something is learned."""

MAX_LENGTH = 1_000
"""Characters of these words together: a place keeps many messages."""

MAX_TEXT = 2_000
"""Characters of a message that are kept with its data."""

LINE_END = "\n"
"""Stands between two lines of a message, and between two messages of a chain."""

_LINE_NUMBER = re.compile(r"\d")


class Observation(NamedTuple):
    """One report as the learner sees it."""

    place: bytes
    """16 bytes that stand for the place."""
    words: tuple[str, ...]
    """The words of the message, or of all messages of the chain. Data is `*`."""
    key: str
    """The key of the error."""
    vague: bool = False
    """Whether only the app is known of the place."""
    text: str = ""
    """The messages with their data."""
    times: int = 1
    """The occurrences that the report stands for."""
    line: bytes = b""
    """8 bytes that stand for the line in the code and the release; b"" if the report names no line."""


def observe(report: Report, found: Components, key: str) -> Observation | None:
    """Return what can be learned from a report, None for nothing. `found` are its components, `key` is its key."""
    fixed, messages = _of_chain(found) if found.chain else _of_message(found)
    words: list[str] = []
    for message in messages:
        words += [*filter(None, message.replace("\n", f" {LINE_END} ").split(" ")), LINE_END]
    words.pop()
    if not _is_bounded(words) or fixed_words(words, LEAST_FIXED_WORDS) < LEAST_FIXED_WORDS:
        return None
    place = _digest(16, (str(len(words)), *fixed))
    return Observation(
        place=place,
        words=tuple(words),
        key=key,
        vague=not found.chain and not any(found.location),
        text=_text(report, found),
        times=report.count,
        line=_line(report, found),
    )


def _is_bounded(words: Collection[str]) -> bool:
    """Return whether a place can keep these words: not too many, and not too long."""
    lengths = [len(word) for word in words]
    return len(lengths) <= MAX_WORDS and sum(lengths) <= MAX_LENGTH and max(lengths, default=0) <= MAX_WORD


def _of_chain(found: Components) -> tuple[list[str], list[str]]:
    """Types and calls of the chain, and its messages, each error once."""
    chain = {each.part: each for each in found.chain if not each.error.member}
    members = {each.part: each for each in found.chain if each.error.member}
    errors = [*chain.values(), *(members[part] for part in sorted(members))]
    fixed = [f"{each.type}\x1e{each.error.member}{each.calls.key}" for each in errors]
    return ["trace", *fixed], [each.template.key for each in errors]


def _of_message(found: Components) -> tuple[list[str], list[str]]:
    message, *fields = found.message_parts
    return ["message", *found.location, *fields, *found.names], [message]


def _text(report: Report, found: Components) -> str:
    return "\n".join(each.error.message[:MAX_TEXT] for each in found.chain) or report.message[:MAX_TEXT]


def _line(report: Report, found: Components) -> bytes:
    """The line that reported it, or all lines of the calls, together with the release."""
    if found.chain:
        calls = [line for line in report.trace.split("\n") if line[:1] in " \t#"]
        named = "\n".join(calls)
    else:
        named = report.location if report.location.rpartition(":")[2].isdigit() else ""
    return _digest(8, (report.release, named)) if _LINE_NUMBER.search(named) else b""


def _digest(size: int, parts: Iterable[str]) -> bytes:
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=size).digest()
