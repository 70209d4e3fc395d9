"""Learn from the messages of one place which of their words are data (observation → learning → ingest).

The second stage behind the fingerprint. Where one place reports messages that are equal but for one or two words, and
these words are open (`evidence`), they are one error. What is learned is a template with holes; later messages that fit
it are that error at once. If the values of a hole then come again and again, the template is taken back.

Guarantee: pure and deterministic. The same observations in the same order give the same result. A place keeps at most
`MAX_ENTRIES` messages and templates: the one that was seen longest ago is dropped, and after `MAX_AGE_DAYS` each one. A
step takes time in proportion to that number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import ne
from typing import Any, NamedTuple

from relay.grouping.evidence import (
    AGAIN,
    LEAST_FIXED_WORDS,
    SELDOM,
    are_named,
    fixed_words,
    have_one_key,
    is_data,
    is_enumeration,
    is_open,
    may_be_data,
    value_in,
)
from relay.grouping.observation import LINE_END, Observation

MAX_ENTRIES = 128
"""Messages and templates that a place keeps."""
MAX_AGE_DAYS = 90
"""After so many days without a mail, a message or template is dropped."""
MAX_VALUES = 16
"""Values of a hole that a template keeps."""
MAX_HOLES = 2
"""Words that may vary. A value that a message repeats is one word."""
MAX_POSITIONS = 6
"""Positions of these words."""
MAX_HOLE_SETS = 12
"""Ways in which other messages differ from a new one that are examined."""
MAX_LINES = 4
"""Lines in the code that an entry keeps."""

INDEX_AFTER = 8
"""Messages of one batch after which an index of the words pays."""
MAX_INDEX = 20_000
"""Words of the index, with those that are no longer there. Then it is built again."""

HOLE = ""
"""Stands for a word that varies."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """A message of a place; with values, a template that was learned."""

    words: tuple[str, ...]
    key: str
    """The key of the error."""
    day: int
    """When it was seen last: days since 1970."""
    seen: int = 1
    """The occurrences, at most `SELDOM` + 2."""
    lines: tuple[bytes, ...] = ()
    """The lines in the code that reported it."""
    values: tuple[dict[str, int], ...] = ()
    """The values of each hole, with the mails of each, at most `AGAIN`."""
    apart: bool = False
    """Whether this template was taken back, by later values or by an administrator: it is never learned again."""

    @property
    def holes(self) -> tuple[int, ...]:
        """The positions of the holes."""
        return tuple(place for place, word in enumerate(self.words) if word == HOLE)


class Joined(NamedTuple):
    """Several keys that turned out to be one error."""

    key: str
    """The key that stays: the one that was seen first."""
    keys: tuple[str, ...]
    """The other ones."""
    words: tuple[str, ...]
    """The template."""
    values: tuple[tuple[str, ...], ...]
    """The values of each hole."""
    at_line: bool
    """Whether the evidence is one line of the code."""


class Verdict(NamedTuple):
    """What the learner says of one report."""

    key: str
    """The key of its error, which can be another one than its own."""
    joined: Joined | None = None
    taken_back: str = ""
    """The key of a template whose messages are several errors after all; "" for none."""


@dataclass(slots=True)
class Place:
    """What is known of one place, the entry that was seen longest ago first."""

    entries: dict[tuple[str, ...], Entry] = field(default_factory=dict)
    _index: Counter[tuple[int, str]] | None = None
    """The number of entries that have a word at a position."""
    _templates: list[Entry] | None = None
    """The templates, in the order of the entries."""
    _joins: int = 0
    """The messages that were compared with the others since this place was loaded."""
    changed: bool = False
    """Whether `dump` gives another text than the one that was loaded."""

    def learn(self, seen: Observation, day: int = 0) -> Verdict:
        """Take one report of this place into account and return its error. `day` is today: days since 1970."""
        entry = self.entries.get(seen.words) or self._fitting(seen.words)
        if entry and (entry.apart or (not entry.values and entry.key != seen.key)):
            return Verdict(seen.key)  # its values are kept apart; or it differs by more than its words
        if entry is None:
            entry = self._add(seen, day)
        else:
            self._count(entry, seen, day)
            if any(len(values) < MAX_VALUES and is_enumeration(values) for values in entry.values):
                entry.apart, entry.values, self.changed = True, (), True
                return Verdict(seen.key, taken_back=entry.key)
            if entry.values or entry.seen > SELDOM + 1:
                return Verdict(entry.key)
        joined = self._join(entry, vague=seen.vague, day=day)
        return Verdict(joined.key if joined else entry.key, joined)

    def keep_apart(self, key: str) -> bool:
        """Take back the template with this key for good. Returns False if there is none."""
        found = next((each for each in self.entries.values() if each.values and each.key == key), None)
        if found:
            found.apart, found.values, self.changed = True, (), True
        return found is not None

    @property
    def is_pinned(self) -> bool:
        """Whether a template was taken back, which must not be forgotten."""
        return any(each.apart for each in self.entries.values())

    # --- Counting -----------------------------------------------------------------------------------------------------

    def _fitting(self, words: tuple[str, ...]) -> Entry | None:
        if self._templates is None:
            self._templates = [each for each in self.entries.values() if HOLE in each.words]
        return next((template for template in self._templates if _fits(template, words)), None)

    def _add(self, seen: Observation, day: int) -> Entry:
        lines = (seen.line,) if seen.line else ()
        entry = Entry(words=seen.words, key=seen.key, day=day, seen=min(seen.times, SELDOM + 2), lines=lines)
        self.entries[entry.words] = entry
        self.changed = True
        if self._index is not None:
            self._index.update(enumerate(entry.words))
        if len(self.entries) > MAX_ENTRIES:
            self._drop_oldest()
        return entry

    def _drop_oldest(self) -> None:
        """Drop a message; where there are only templates, one that was not taken back."""
        newest = next(reversed(self.entries.values()))
        oldest = next((each for each in self.entries.values() if HOLE not in each.words), newest)
        if oldest is newest:
            templates = [each for each in self.entries.values() if each is not newest]
            oldest = next((each for each in templates if not each.apart), templates[0])
            self._templates = None
        del self.entries[oldest.words]
        if self._index is not None:
            self._index.subtract(enumerate(oldest.words))
            if len(self._index) > MAX_INDEX:
                self._index = None

    def _count(self, entry: Entry, seen: Observation, day: int) -> None:
        before = (entry.seen, entry.day, entry.lines, [sum(values.values()) for values in entry.values])
        if seen.line and seen.line not in entry.lines and entry.seen <= SELDOM and not entry.values:
            entry.lines += (seen.line,)
        entry.seen, entry.day = min(entry.seen + seen.times, SELDOM + 2), day
        for hole, values in zip(entry.holes, entry.values, strict=False):
            value = value_in(seen.text, seen.words[hole])
            if value in values or len(values) < MAX_VALUES:
                values[value] = min(values.get(value, 0) + seen.times, AGAIN)
        if before != (entry.seen, entry.day, entry.lines, [sum(values.values()) for values in entry.values]):
            self.changed = True
            self.entries[entry.words] = self.entries.pop(entry.words)
            if entry.values:
                self._templates = None

    # --- Joining ------------------------------------------------------------------------------------------------------

    def _join(self, entry: Entry, *, vague: bool, day: int) -> Joined | None:
        """Join `entry` with the others that are the same error, if there is evidence."""
        near = list(self._near(entry))
        for holes in _hole_sets(differing for differing, _ in near if differing):
            family = [other for differing, other in near if not differing & ~holes]
            if any(each.apart for each in family):
                continue
            at_line = [each for each in family if not set(entry.lines).isdisjoint(each.lines)]
            places = tuple(place for place in range(len(entry.words)) if holes >> place & 1)
            if _is_one_error(family, places, vague=vague):
                return self._merge(family, places, day, at_line=False)
            if _is_one_statement(at_line, places):
                return self._merge(at_line, places, day, at_line=True)
        return None

    def _near(self, entry: Entry) -> Iterator[tuple[int, Entry]]:
        """The entries that differ from this one in at most a few words, with the positions of these words as bits."""
        words = entry.words
        if not self._has_near(words):
            return
        for other in self.entries.values():
            if sum(map(ne, other.words, words)) <= MAX_POSITIONS:
                pairs = enumerate(zip(other.words, words, strict=True))
                yield sum(1 << place for place, (one, two) in pairs if one != two), other

    def _has_near(self, words: tuple[str, ...]) -> bool:
        """Return False if each other message differs in too many words. Fast for messages that are all different."""
        self._joins += 1
        if self._joins < INDEX_AFTER:
            return True
        if self._index is None:
            self._index = Counter(chain.from_iterable(map(enumerate, self.entries)))
        index = self._index
        return sum(index[item] > 1 for item in enumerate(words)) >= len(words) - MAX_POSITIONS

    def _merge(self, family: Sequence[Entry], holes: Sequence[int], day: int, *, at_line: bool) -> Joined:
        first = family[0]
        self._index = self._templates = None
        for each in family:
            del self.entries[each.words]
        words = tuple(HOLE if place in holes else word for place, word in enumerate(first.words))
        values = tuple(_values(family, hole) for hole in holes)
        lines = tuple(dict.fromkeys(line for each in family for line in each.lines))[-MAX_LINES:]
        template = Entry(words=words, key=first.key, day=day, seen=SELDOM + 2, lines=lines, values=values)
        self.entries[words] = template
        keys = tuple(dict.fromkeys(each.key for each in family if each.key != first.key))
        return Joined(first.key, keys, words, tuple(map(tuple, values)), at_line)

    # --- Storing ------------------------------------------------------------------------------------------------------

    def dump(self) -> str:
        """Return this place as JSON."""
        return json.dumps([_as_json(each) for each in self.entries.values()], separators=(",", ":"))

    @classmethod
    def load(cls, text: str, day: int = 0) -> Place:
        """Return the place that `dump` wrote, without what is too old on `day`. Raises ValueError for another text."""
        entries = [_from_json(each) for each in json.loads(text)]
        fresh = [each for each in entries if each.apart or day - each.day <= MAX_AGE_DAYS]
        return cls({each.words: each for each in fresh}, changed=len(fresh) < len(entries))


def _as_json(entry: Entry) -> list[Any]:
    lines = [line.hex() for line in entry.lines]
    return [" ".join(entry.words), entry.key, entry.day, entry.seen, lines, list(entry.values), int(entry.apart)]


def _from_json(stored: Sequence[Any]) -> Entry:
    words, key, day, seen, lines, values, apart = stored
    return Entry(
        words=tuple(words.split(" ")),
        key=key,
        day=day,
        seen=seen,
        lines=tuple(map(bytes.fromhex, lines)),
        values=tuple(values),
        apart=bool(apart),
    )


def _fits(entry: Entry, words: tuple[str, ...]) -> bool:
    holes = entry.holes
    return sum(map(ne, entry.words, words)) == len(holes) and (
        entry.apart
        or all(
            words[hole] != LINE_END and may_be_data(words[hole]) and have_one_key([words[hole], next(iter(values))])
            for hole, values in zip(holes, entry.values, strict=True)
        )
    )


def _hole_sets(differing: Iterable[int]) -> list[int]:
    """The sets of positions in which other messages differ, as bits: the smallest first, then the most frequent."""
    found = Counter(differing)
    return sorted(found, key=lambda holes: (holes.bit_count(), -found[holes], holes))[:MAX_HOLE_SETS]


def _values(family: Iterable[Entry], hole: int) -> dict[str, int]:
    """The values at one position, with the mails of each."""
    found: dict[str, int] = {}
    for each in family:
        word = each.words[hole]
        known = each.values[each.holes.index(hole)] if word == HOLE else {word: each.seen}
        for value, seen in known.items():
            found[value] = min(found.get(value, 0) + seen, AGAIN)
    return dict(list(found.items())[:MAX_VALUES])


def _columns(family: Sequence[Entry], holes: Sequence[int]) -> list[dict[str, int]]:
    """The values at each position; nothing if one of them can be no value."""
    columns = [_values(family, hole) for hole in holes]
    can_be = all(
        LINE_END not in values and all(map(may_be_data, values)) and have_one_key(values) for values in columns
    )
    return columns if can_be else []


def _is_one_error(family: Sequence[Entry], holes: Sequence[int], *, vague: bool) -> bool:
    """Return whether the values at these positions are open."""
    columns = _columns(family, holes)
    if not columns or len({tuple(values.items()) for values in columns}) > MAX_HOLES:
        return False
    least = LEAST_FIXED_WORDS + (vague and not any(map(is_data, chain(*columns))))
    return _fixed_words(family[0].words, holes) >= least and all(
        is_open(values) or all(map(is_data, values)) for values in columns
    )


def _is_one_statement(family: Sequence[Entry], holes: Sequence[int]) -> bool:
    """Return whether two messages of one line in the code differ in one value."""
    columns = _columns(family, holes) if len(family) > 1 and len(holes) == 1 else []
    words = family[0].words if family else ()
    return (
        bool(columns)
        and _fixed_words(words, holes) >= LEAST_FIXED_WORDS
        and are_named(columns[0], words[holes[0] - 1] if holes[0] else "")
    )


def _fixed_words(words: Sequence[str], holes: Sequence[int]) -> int:
    return fixed_words([word for place, word in enumerate(words) if place not in holes and word != HOLE])
