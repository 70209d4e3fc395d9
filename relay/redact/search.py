"""Find all secrets of a text: runs every finder, and caches the result for texts that repeat.

Guarantee: time is linear in the text, since each finder is linear and their number is fixed. A prefilter skips the
finders for most texts; it never changes the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from relay.memo import memoized
from relay.redact.cards import PREFILTER as CARD_PREFILTER
from relay.redact.cards import cards
from relay.redact.headers import PREFILTER as HEADER_PREFILTER
from relay.redact.headers import credentials
from relay.redact.keywords import keyword_values
from relay.redact.names import Names
from relay.redact.rows import PREFILTER as ROW_PREFILTER
from relay.redact.rows import in_rows
from relay.redact.secret import MASK, Secret
from relay.redact.sql import SQL_PREFILTER, in_sql
from relay.redact.token_formats import PEM, by_format, pem_blocks
from relay.redact.token_formats import PREFILTER as TOKEN_PREFILTER
from relay.redact.urls_and_commands import (
    COMMAND_PREFILTER,
    TAG_PREFILTER,
    URL_PREFILTER,
    in_tags,
    in_urls,
    on_command_lines,
)
from relay.safe_regex import compiled

MAX_CACHED_STACK = 16_384
"""Bytes of the largest stack whose secrets are cached."""
MAX_CACHED_STACKS = 1_000_000
"""Bytes of all cached stacks together."""
MAX_SHORT = 200
"""Characters of a text whose secrets are cached: apps, subjects and first lines of traces repeat."""
MAX_CACHED_SHORT = 1_024
"""Number of cached short texts."""
MIN_TEXT = 6
"""Characters. A text up to this length has no room for a name and its value."""
_STACK = re.compile(r"\n((?:[ \t][^\n]*\n){8,})")
"""At least 8 indented lines, such as the calls of a trace: they are equal in each mail of a repeated error."""


def has_no_secrets(texts: Iterable[str], trace: str, names: Names) -> bool:
    """Whether one search shows that `texts` and `trace` hold no secret. True for most mails; False means "maybe"."""
    start, end = _indented(trace)
    in_stack = _in_stack(trace[start:end], names) if start < end else None
    if in_stack or PEM in trace:
        return False
    rest = (trace,) if in_stack is None else (trace[:start], trace[end:])
    new = "\n".join((*texts, *rest))
    return PEM not in new and _prefilter_with_cards(names).search(_lower(new).encode("utf-8", "replace")) is None


def find_secrets(text: str, names: Names) -> list[Secret]:
    """Find all secrets of `text`, in no order. They may overlap."""
    if len(text) <= MIN_TEXT:
        return []
    found: list[Secret] = []
    done = 0
    for start, end, in_stack in _stacks(text, names) if "\n" in text else ():
        found += _shifted(_in_text(text[done:start], names), done)
        found += _shifted(in_stack, start)
        done = end
    found += _shifted(_in_text(text[done:] if done else text, names), done)
    if PEM in text:
        found += pem_blocks(text)
    return found


def _stacks(text: str, names: Names) -> Iterator[tuple[int, int, tuple[Secret, ...]]]:
    """Yield start, end and secrets of each stack in `text`. Fast path: all indented lines are one stack."""
    start, end = _indented(text)
    if start < end and (found := _in_stack(text[start:end], names)) is not None:
        yield start, end, found
        return
    for stack in _STACK.finditer(text):
        yield *stack.span(1), _in_stack(stack[1], names) or ()


def _indented(text: str) -> tuple[int, int]:
    """The range from the first to the last line indented by a space; (0, 0) without one, or if a tab indents others."""
    start = text.find("\n ") + 1
    end = text.find("\n", text.rfind("\n ") + 1) + 1
    alone = 0 < start < end and text.find("\n\t", 0, start) < 0 and text.find("\n\t", end - 1) < 0
    return (start, end) if alone else (0, 0)


def _shifted(found: Iterable[Secret], by: int) -> Iterable[Secret]:
    return [Secret(secret.start + by, secret.end + by, secret.repeat) for secret in found] if by else found


def _in_text(text: str, names: Names) -> Iterable[Secret]:
    return _in_short_text(text, names) if len(text) <= MAX_SHORT else _search(text, names)


@lru_cache(maxsize=MAX_CACHED_SHORT)
def _in_short_text(text: str, names: Names) -> tuple[Secret, ...]:
    return tuple(_search(text, names))


@memoized(size=MAX_CACHED_STACKS, largest=MAX_CACHED_STACK)
def _in_stack(text: str, names: Names) -> tuple[Secret, ...] | None:
    """The secrets of `text` if it is exactly one stack, else None."""
    return tuple(_search(text, names)) if _STACK.fullmatch("\n" + text) else None


def _search(text: str, names: Names) -> Iterator[Secret]:
    for secret in _search_all(text, names):
        word = text[secret.start : secret.end]
        if word != MASK and word.strip("* "):  # else the app has masked it
            yield secret


def _search_all(text: str, names: Names) -> Iterator[Secret]:
    lower = _lower(text)
    if _prefilter(names).search(lower.encode("utf-8", "replace")):
        yield from _run_finders(text, lower, names)
    yield from cards(text)


def _lower(text: str) -> str:
    return text.replace("\u0130", "I").lower()  # İ is the only letter whose lower case is longer


def _run_finders(text: str, lower: str, names: Names) -> Iterator[Secret]:
    yield from keyword_values(text, lower, names)
    yield from credentials(text, lower)
    yield from in_urls(text)
    yield from on_command_lines(text)
    yield from in_sql(text, lower, names)
    yield from in_tags(text, lower, names)
    yield from in_rows(text, names)
    yield from by_format(text)


@lru_cache(maxsize=16)
def _prefilter(names: Names) -> Any:
    """A pattern that matches every text (in lower case) in which `_run_finders` finds something.

    Most texts do not match. Each finder of `_run_finders` adds its own words or patterns here.
    """
    return compiled(_prefilter_pattern(names))


@lru_cache(maxsize=16)
def _prefilter_with_cards(names: Names) -> Any:
    """The same for payment cards as well."""
    return compiled(f"{_prefilter_pattern(names)}|{CARD_PREFILTER}")


def _prefilter_pattern(names: Names) -> str:
    words = (*names.prefilter, *HEADER_PREFILTER, *COMMAND_PREFILTER, *SQL_PREFILTER, *TAG_PREFILTER, *ROW_PREFILTER)
    return "|".join((*map(re.escape, words), *URL_PREFILTER, *TOKEN_PREFILTER))
