"""Replace the arguments of a log message by placeholders, using the template that the client sends (json_part → parse).

    "no such customer: anna" with the template "no such customer: %s"  →  "no such customer: <value>"

The text alone does not show that "anna" is data. The template is used only if the message matches it. An argument that
the rules of `patterns` already replace is left to them, so an error has the same key with and without a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from relay.parameterize.template import parameterize

VALUE = "<value>"

MAX_MESSAGE = 2_000
"""Characters. A longer message is not changed."""
_MIN_WORDS = 2
"""Minimum number of fixed words in a template. In `%s failed` or `%s: %s` the arguments describe the error."""

_CONVERSION = re.compile(
    r"%(?:(?P<percent>%)|(?:\((?P<name>[^()]{1,100})\))?[-#0 +]{0,5}\d{0,4}(?:\.\d{0,4})?[hlL]?(?P<kind>[a-zA-Z]))"
)
"""A printf-style conversion, as `logging` uses it. A width given as an argument (`*`) is not supported."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_ONE_WORD = re.compile(r"\s*\S+\s*")


def without_arguments(message: str, template: str, types: Sequence[str] | Mapping[str, str]) -> str:
    """Return `message` with `VALUE` in place of each argument that is a single word of type str; "" if none is.

    An argument of several words stays: it often is the text of another error and describes what happened.
    """
    literals, kinds = _split_template(template, types)
    if "str" not in kinds or len(message) > MAX_MESSAGE or len(_WORD.findall(" ".join(literals))) < _MIN_WORDS:
        return ""
    parameterized = parameterize(message).text
    pieces, changed = [literals[0]], False
    for value, kind, literal in zip(_values(message, literals), kinds, literals[1:], strict=False):
        is_data = (
            kind == "str" and _ONE_WORD.fullmatch(value) is not None and _contains_word(parameterized, value.strip())
        )
        pieces += [VALUE if is_data else value, literal]
        changed = changed or is_data
    return "".join(pieces) if changed else ""


def _split_template(template: str, types: Sequence[str] | Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Split `template` into its fixed texts and the types of the arguments between them."""
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
    """Yield the arguments in `message`: the texts between the first matches of `literals`; none if one is missing."""
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


def _contains_word(text: str, word: str) -> bool:
    """Return True if `text` contains `word` as a whole word. Words that the rules replaced are no longer in it."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
