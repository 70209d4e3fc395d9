"""Mask secrets in excerpts of a text by their places in the text (redact).

What makes a value a secret can stand in another line: `password=` in a SQL statement, and the value in its parameters.
An excerpt that holds only the second line is masked where the whole text is.

Guarantee: linear in the text for each of at most `MAX_LINES` lines of an excerpt; further lines have their own secrets
masked and those that are repeated, as any text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relay.redact.secret import Secret

MAX_LINES = 400
"""Lines of an excerpt that are looked up in the text."""
_MAX_MISSES = 20
"""Lines that are not found in the text before the lookup ends."""


def secrets_of_excerpt(excerpt: str, text: str, in_text: Sequence[Secret]) -> list[Secret]:
    """Return the secrets of `excerpt`, given those of `text`. Its lines are parts of lines of `text`, in any order."""
    if not excerpt or not in_text:
        return []
    found: list[Secret] = []
    for start, place, length in _places(excerpt, text):
        for secret in in_text:
            begin, end = max(secret.start, place), min(secret.end, place + length)
            if begin < end:
                found.append(Secret(begin - place + start, end - place + start, secret.repeat))
    return found


def _places(excerpt: str, text: str) -> Iterator[tuple[int, int, int]]:
    """Yield for each part of the excerpt its position there, its position in the text, and its length."""
    if (place := text.find(excerpt)) >= 0:
        yield 0, place, len(excerpt)
        return
    position = misses = begin = 0
    for line in excerpt.split("\n")[:MAX_LINES]:
        for start, part in _parts(line, begin):
            place = text.find(part, position)
            place = place if place >= 0 else text.find(part, 0, position + len(part))
            if place >= 0:
                yield start, place, len(part)
                position = place + len(part)
                break
            misses += 1
        if misses > _MAX_MISSES:
            return
        begin += len(line) + 1


def _parts(line: str, begin: int) -> Iterator[tuple[int, str]]:
    """Yield the line, and what stands after its first colon: a heading may have been put in front of it."""
    if line.strip():
        yield begin, line
        _, colon, rest = line.partition(": ")
        if colon and rest.strip():
            yield begin + len(line) - len(rest), rest
