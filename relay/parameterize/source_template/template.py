"""The template of a message: fixed texts and the expressions between them (source_template)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(r"[^\W\d_]{2,}")


class SourceTemplate(NamedTuple):
    """Fixed texts with a hole between each two of them: `len(literals) == len(holes) + 1`."""

    literals: tuple[str, ...]
    holes: tuple[str, ...]
    """The expressions whose values fill the holes, as source text; "" if unknown."""

    @property
    def words(self) -> int:
        """The number of fixed words of at least two characters."""
        return len(_WORD.findall("\n".join(self.literals)))

    @property
    def length(self) -> int:
        """The number of fixed characters: the template with the most fits a message best."""
        return sum(map(len, self.literals))

    def first_line(self) -> SourceTemplate:
        """Return the template of the first line of the message."""
        for number, literal in enumerate(self.literals):
            line, newline, _ = literal.partition("\n")
            if newline:
                return SourceTemplate((*self.literals[:number], line), self.holes[:number])
        return self


EMPTY = SourceTemplate(("",), ())


def literal(text: str) -> SourceTemplate:
    """Return the template of a fixed text."""
    return SourceTemplate((text,), ())


def hole(expression: str) -> SourceTemplate:
    """Return the template of a value."""
    return SourceTemplate(("", ""), (expression,))


def joined(pieces: Iterable[SourceTemplate]) -> SourceTemplate:
    """Return the pieces one after another. Two holes without a text between them become one."""
    literals, holes = [""], list[str]()
    for piece in pieces:
        if not piece.holes:
            literals[-1] += piece.literals[0]
            continue
        literals[-1] += piece.literals[0]
        for expression, text in zip(piece.holes, piece.literals[1:], strict=True):
            if holes and not literals[-1]:
                holes[-1] += f" {expression}"
                literals[-1] = text
            else:
                holes.append(expression)
                literals.append(text)
    return SourceTemplate(tuple(literals), tuple(holes))
