"""How alike two errors are, and the words in which they differ (for `relay similar`; pure).

Compared are the words that count: exception types, messages without data, and calls. What does not count, such as
times and hosts, does not differ either. Nothing is merged because of it.

Cost: at most `MAX_WORDS` words of each error are compared, so one comparison takes well below a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from relay.grouping.components import Components, components
from relay.model import Report
from relay.text import cut

MAX_WORDS = 120
"""Words of one error that are compared."""
MAX_SHOWN = 160
"""Characters of a difference."""


def words_of(report: Report) -> tuple[str, ...]:
    """Return the words of a report that count, at most MAX_WORDS: types, messages, then calls."""
    return tuple(_words(components(report))[:MAX_WORDS])


def _words(parts: Components) -> list[str]:
    if not parts.chain:
        return [*parts.message.text.split(), *filter(None, parts.location)]
    found: list[str] = []
    for link in parts.chain:
        found += [link.type or "unknown", *link.template.text.split()]
    return found + [frame.place for link in parts.chain for frame in link.calls.own]


def likeness(one: Sequence[str], other: Sequence[str], *, at_least: float = 0.0) -> float:
    """Return how alike two lists of words are, from 0.0 to 1.0; 0.0 if surely less than `at_least`."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < at_least or matcher.quick_ratio() < at_least:
        return 0.0
    return matcher.ratio()


def difference(one: Sequence[str], other: Sequence[str]) -> str:
    """Return the words in which two errors differ: `'anna' / 'bob'`; "none" if all words are equal."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    changes = [
        f"{' '.join(one[start:end]) or '–'!r} / {' '.join(other[begin:stop]) or '–'!r}"
        for operation, start, end, begin, stop in matcher.get_opcodes()
        if operation != "equal"
    ]
    return cut(", ".join(changes), MAX_SHOWN) or "none: they differ in app, route or a rule"
