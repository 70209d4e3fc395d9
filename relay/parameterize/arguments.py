"""A log message without the words that were put into it, where the app says which those are (enclosure → parse).

    "no such customer: anna" of the template "no such customer: %s"  →  "no such customer: <value>"

From a text alone nobody can tell that "anna" is data. The template is believed only as far as the message fits it. What
`placeholders` knows for data anyway is left to it, so that one error has one key with and without the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from relay.parameterize.template import parameterize

VALUE = "<value>"

MAX_MESSAGE = 2_000
"""Characters of a message that is looked at."""
_LEAST_WORDS = 2
"""Of a template, that it says what happened: of `%s failed` or `%s: %s` the arguments do."""

_CONVERSION = re.compile(
    r"%(?:(?P<percent>%)|(?:\((?P<name>[^()]{1,100})\))?[-#0 +]{0,5}\d{0,4}(?:\.\d{0,4})?[hlL]?(?P<kind>[a-zA-Z]))"
)
"""Printf-style, as `logging` has it; a width given as an argument (`*`) is not understood."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_ONE_WORD = re.compile(r"\s*\S+\s*")


def without_arguments(message: str, template: str, types: Sequence[str] | Mapping[str, str]) -> str:
    """`message` with `VALUE` for each argument that is one word of text; "" where that changes nothing.

    A longer text stays: it says what happened, as an error does that was put into the message.
    """
    literals, kinds = _taken_apart(template, types)
    if "str" not in kinds or len(message) > MAX_MESSAGE or len(_WORD.findall(" ".join(literals))) < _LEAST_WORDS:
        return ""
    known = parameterize(message).text
    pieces, changed = [literals[0]], False
    for value, kind, literal in zip(_values(message, literals), kinds, literals[1:], strict=False):
        is_data = kind == "str" and _ONE_WORD.fullmatch(value) is not None and _stands_in(known, value.strip())
        pieces += [VALUE if is_data else value, literal]
        changed = changed or is_data
    return "".join(pieces) if changed else ""


def _taken_apart(template: str, types: Sequence[str] | Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The fixed texts of `template` and, for each place between two of them, the type that stands there."""
    literals, done = [""], 0
    kinds: list[str] = []
    for found in _CONVERSION.finditer(template):
        literals[-1] += template[done : found.start()]
        done = found.end()
        if found["percent"]:
            literals[-1] += "%"
            continue
        kinds.append(_type_of(found["name"], len(kinds), types))
        literals.append("")
    literals[-1] += template[done:]
    return literals, kinds


def _type_of(name: str | None, place: int, types: Sequence[str] | Mapping[str, str]) -> str:
    if isinstance(types, Mapping):
        return types.get(name or "", "")
    return types[place] if name is None and place < len(types) else ""


def _values(message: str, literals: Sequence[str]) -> Iterator[str]:
    """What stands in `message` between the texts, each as early as it can; nothing where it does not fit them."""
    first, *between, last = literals
    end = len(message) - len(last)
    places = [len(first)]
    for literal in between:
        place = message.find(literal, places[-1], end) if literal else -1
        if place < 0:
            return
        places += [place, place + len(literal)]
    if message.startswith(first) and message.endswith(last) and places[-1] <= end:
        places.append(end)
        yield from (message[start:stop] for start, stop in zip(places[::2], places[1::2], strict=True))


def _stands_in(text: str, word: str) -> bool:
    """Whether it is there as a word of its own: what was known for data is not."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
