"""All secrets of a text, found by everything that looks for one; texts that repeat are searched once.

Time is linear in the text: each look is, and their number is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from relay.memo import memoized
from relay.redact.cards import MARK as CARD_MARK
from relay.redact.cards import cards
from relay.redact.headers import MARKS as HEADER_MARKS
from relay.redact.headers import credentials
from relay.redact.keywords import labelled
from relay.redact.names import Names
from relay.redact.rows import MARKS as ROW_MARKS
from relay.redact.rows import in_rows
from relay.redact.secret import MASK, Secret
from relay.redact.sql import SQL_MARKS, in_sql
from relay.redact.token_formats import MARKS as FORM_MARKS
from relay.redact.token_formats import PEM, by_form, pem_blocks
from relay.redact.urls_and_commands import COMMAND_MARKS, TAG_MARKS, URL_MARKS, in_tags, in_urls, on_command_lines
from relay.safe_regex import compiled

MAX_KEPT_STACK = 16_384
"""Bytes of a stack whose secrets are kept in memory."""
MAX_KEPT_STACKS = 1_000_000
"""Bytes of all of them."""
MAX_SHORT = 200
"""Likewise for the app, the subject, the heading of a trace: short texts that are the same in mail after mail."""
MAX_KEPT_SHORT = 1_024
MIN_TEXT = 6
"""Characters below which a text has no room for a name and its value."""
_STACK = re.compile(r"\n((?:[ \t][^\n]*\n){8,})")
"""Indented lines, as the calls of a trace are: a repeated error has the very same ones."""


def nothing_in(texts: Iterable[str], trace: str, names: Names) -> bool:
    """Whether one look tells that `secrets` finds nothing in any of `texts`, nor in `trace`; True for most mails."""
    start, end = _indented(trace)
    in_stack = _in_stack(trace[start:end], names) if start < end else None
    if in_stack or PEM in trace:
        return False
    told = (trace,) if in_stack is None else (trace[:start], trace[end:])
    new = "\n".join((*texts, *told))
    return PEM not in new and _marks_and_digits(names).search(_lower(new).encode("utf-8", "replace")) is None


def secrets(text: str, names: Names) -> list[Secret]:
    """All of `text`, in no order; some may overlap."""
    if len(text) <= MIN_TEXT:
        return []
    found: list[Secret] = []
    done = 0
    for start, end, in_stack in _stacks(text, names) if "\n" in text else ():
        found += _moved(_in_piece(text[done:start], names), done)
        found += _moved(in_stack, start)
        done = end
    found += _moved(_in_piece(text[done:] if done else text, names), done)
    if PEM in text:
        found += pem_blocks(text)
    return found


def _stacks(text: str, names: Names) -> Iterator[tuple[int, int, tuple[Secret, ...]]]:
    """Where stacks stand in `text`, and what is in each. Mostly one is all that is indented, which is soon seen."""
    start, end = _indented(text)
    if start < end and (found := _in_stack(text[start:end], names)) is not None:
        yield start, end, found
        return
    for stack in _STACK.finditer(text):
        yield *stack.span(1), _in_stack(stack[1], names) or ()


def _indented(text: str) -> tuple[int, int]:
    """From the first line that a blank indents to the last; (0, 0) where there is none, or others beside these."""
    start = text.find("\n ") + 1
    end = text.find("\n", text.rfind("\n ") + 1) + 1
    alone = 0 < start < end and text.find("\n\t", 0, start) < 0 and text.find("\n\t", end - 1) < 0
    return (start, end) if alone else (0, 0)


def _moved(found: Iterable[Secret], by: int) -> Iterable[Secret]:
    return [Secret(secret.start + by, secret.end + by, secret.echo) for secret in found] if by else found


def _in_piece(text: str, names: Names) -> Iterable[Secret]:
    return _kept_short(text, names) if len(text) <= MAX_SHORT else _looked_for(text, names)


@lru_cache(maxsize=MAX_KEPT_SHORT)
def _kept_short(text: str, names: Names) -> tuple[Secret, ...]:
    return tuple(_looked_for(text, names))


@memoized(size=MAX_KEPT_STACKS, largest=MAX_KEPT_STACK)
def _in_stack(text: str, names: Names) -> tuple[Secret, ...] | None:
    """The secrets in `text`; None where it is not one stack."""
    return tuple(_looked_for(text, names)) if _STACK.fullmatch("\n" + text) else None


def _looked_for(text: str, names: Names) -> Iterator[Secret]:
    for secret in _everywhere(text, names):
        word = text[secret.start : secret.end]
        if word != MASK and word.strip("* "):  # it was masked before, by the app
            yield secret


def _everywhere(text: str, names: Names) -> Iterator[Secret]:
    lower = _lower(text)
    if _marks(names).search(lower.encode("utf-8", "replace")):
        yield from _by_marks(text, lower, names)
    yield from cards(text)


def _lower(text: str) -> str:
    return text.replace("\u0130", "I").lower()  # the one letter that would change the length


def _by_marks(text: str, lower: str, names: Names) -> Iterator[Secret]:
    yield from labelled(text, lower, names)
    yield from credentials(text, lower)
    yield from in_urls(text)
    yield from on_command_lines(text)
    yield from in_sql(text, lower, names)
    yield from in_tags(text, lower, names)
    yield from in_rows(text, names)
    yield from by_form(text)


@lru_cache(maxsize=16)
def _marks(names: Names) -> Any:
    """A pattern that fits every text, in lower case, that `_by_marks` finds something in: most texts have none of it.

    Whatever looks for secrets there has its marks here.
    """
    return compiled(_any_mark(names))


@lru_cache(maxsize=16)
def _marks_and_digits(names: Names) -> Any:
    """The same, and the marks of cards."""
    return compiled(f"{_any_mark(names)}|{CARD_MARK}")


def _any_mark(names: Names) -> str:
    words = (*names.marks, *HEADER_MARKS, *COMMAND_MARKS, *SQL_MARKS, *TAG_MARKS, *ROW_MARKS)
    return "|".join((*map(re.escape, words), *URL_MARKS, *FORM_MARKS))
