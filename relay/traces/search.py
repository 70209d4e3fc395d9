"""Find the languages whose traces a text can contain: the cheap first check of `traces.find`.

Most texts have no trace. So one pattern looks at the beginning of each line for all languages together, and one search
for a part that several markers have in common replaces the searches for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from relay.traces.frames import FIRST_WORD, INDENTED, Language

_SHARED = ("line ", ":in ", "PL/P", "xception ")
"""Parts that markers have in common. A marker belongs to the first part that it contains."""
_BEGINNING = r"\n[ \t]*+"


class Search:
    """The first check for a sequence of languages. The first language is that of most traces."""

    def __init__(self, languages: Sequence[Language]) -> None:
        self._languages = tuple(languages)
        self._markers = _by_part(self._languages)
        beginnings = {line: None for language in languages for line in language.LINES}
        self._lines = re.compile(f"{_BEGINNING}(?:{_alternatives(tuple(beginnings))})", re.MULTILINE)
        self._each = [
            (re.compile(_BEGINNING + line, re.MULTILINE), number)
            for number, language in enumerate(languages)
            for line in language.LINES
        ]

    def languages_in(self, text: str) -> Iterator[Language]:
        """Yield the languages that have a marker or the beginning of a line in `text`, in their order."""
        first = self._languages[0]
        if any(marker in text for marker in first.MARKERS):
            yield first  # the others are looked for only if this one finds no trace
        found = set[int]()
        for part, markers in self._markers:
            if part in text:
                found.update(number for marker, number in markers if marker in text)
        text = f"\n{text}"
        if match := self._lines.search(text):
            self._add_from_lines(text, match.start(), found)
        for number in sorted(found - {0}):
            yield self._languages[number]

    def _add_from_lines(self, text: str, start: int, found: set[int]) -> None:
        """Add the languages of all lines from `start` on. Equal beginnings are looked up once."""
        known = set[str]()
        for match in self._lines.finditer(text, start):
            if (beginning := match[0]) not in known:
                known.add(beginning)
                found.update(number for line, number in self._each if line.match(text, match.start()))


def _by_part(languages: Sequence[Language]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Return each part with its markers, and for each marker the number of its language. Without the first language."""
    parts: dict[str, list[tuple[str, int]]] = {}
    for number, language in enumerate(languages[1:], start=1):
        for marker in language.MARKERS:
            part = next((part for part in _SHARED if part in marker), marker)
            parts.setdefault(part, []).append((marker, number))
    return tuple((part, tuple(markers)) for part, markers in parts.items())


def _alternatives(beginnings: Sequence[str]) -> str:
    """Return one pattern for all beginnings. What several of them begin with is tried only once."""
    rest = list(beginnings)
    grouped: list[str] = []
    for common in (INDENTED, FIRST_WORD):
        same = [line.removeprefix(common) for line in rest if line.startswith(common)]
        rest = [line for line in rest if not line.startswith(common)]
        grouped += [f"{common}(?:{'|'.join(same)})"] if same else []
    return "|".join([*rest, *grouped])
