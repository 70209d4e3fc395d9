"""Replace parts of a text that are known to be data, together with what the rules find (used by template).

The source line that formatted a message says which parts of it are data (`source_template`). The rules still decide
about all other text, and about text that they find across the borders of such a part: `HTTP 503` stays, and `user ada`
is `user <name>`. So a message whose data the rules recognize has the same key with and without its source line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relay.parameterize import replacements
from relay.parameterize.patterns import Rule

Span = tuple[int, int]
"""Begin and end of a part of a text."""

VALUE = "<value>"
_SAMPLE = "100"
"""A value with which the rule for words is applied to the text around a part: `order-100` is `order-<number>`."""
_NAME_IN_CODE = "name in code"


class Edit(NamedTuple):
    """A part of a text and its replacement; equal texts if it stays."""

    start: int
    end: int
    new: str
    rule: Rule | None
    """The rule that replaces; None for a structure, and for text that stays."""


def moved(data: Sequence[Span], structures: Sequence[Edit]) -> list[Span]:
    """Return `data` as parts of the text in which `structures` were replaced. Parts in a structure are left out."""
    spans: list[Span] = []
    shift = at = 0
    for start, end in data:
        while at < len(structures) and structures[at].end <= start:
            shift += len(structures[at].new) - (structures[at].end - structures[at].start)
            at += 1
        if at == len(structures) or end <= structures[at].start:
            spans.append((start + shift, end + shift))
    return spans


def replaced(text: str, edits: Sequence[Edit], data: Sequence[Span], found: list[tuple[str, str]]) -> str:
    """Return `text` with `edits` made and `data` replaced. Both are in order. `found` gets kind and text of each."""
    pieces: list[str] = []
    done = 0
    for start, end, new, kind in _merged(text, edits, data):
        value = text[start:end]
        if new != value:
            found.append((kind, value))
        pieces += (text[done:start], new)
        done = end
    return "".join(pieces) + text[done:]


def _merged(text: str, edits: Sequence[Edit], data: Sequence[Span]) -> Iterator[tuple[int, int, str, str]]:
    """Yield start, end, replacement and kind of each part, in order and without overlaps."""
    spans = list(data)
    at = 0
    for edit in edits:
        while at < len(spans) and spans[at][1] <= edit.start:
            yield (*spans[at], VALUE, "value")
            at += 1
        if at == len(spans) or edit.end <= spans[at][0]:
            yield (*edit[:3], edit.rule.kind if edit.rule else "")
            continue
        if spans[at][0] <= edit.start and edit.end <= spans[at][1]:
            if edit.rule and edit.new == f"<{edit.rule.kind}>" and spans[at] == (edit.start, edit.end):
                yield edit.start, edit.end, edit.new, edit.rule.kind
                at += 1
            continue  # inside a part that is data as a whole
        inside = [span for span in spans[at:] if span[0] < edit.end]
        if spans[at][0] < edit.start:
            yield spans[at][0], edit.start, VALUE, "value"
        yield edit.start, edit.end, _across(text, edit, inside), edit.rule.kind if edit.rule else ""
        at += len(inside)
        if inside[-1][1] > edit.end:
            at -= 1
            spans[at] = (edit.end, inside[-1][1])
    for span in spans[at:]:
        yield (*span, VALUE, "value")


def _across(text: str, edit: Edit, inside: Sequence[Span]) -> str:
    """Return the replacement of a match that contains data and fixed text, without any word of the data."""
    if edit.rule is None:
        return edit.new
    if edit.rule.replace is replacements.word:
        return replacements.word(_with_samples(text, edit, inside))
    new = edit.new
    for start, end in inside:
        value = text[max(start, edit.start) : min(end, edit.end)].strip("'\"` ")
        if value and value in new:
            new = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", VALUE, new)
    return new


def _with_samples(text: str, edit: Edit, inside: Sequence[Span]) -> str:
    pieces: list[str] = []
    done = edit.start
    for start, end in inside:
        pieces += (text[done : max(start, done)], _SAMPLE)
        done = min(end, edit.end)
    return "".join(pieces) + text[done : edit.end]
