"""Read a value in any notation: in quotes of any kind, escaped or not, over several lines, as a YAML block, or bare."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.redact.secret import MASK, MAX_VALUE, Secret

MAX_LINES = 60
"""Lines of one quoted value or of one block."""

_VALUE = re.compile(
    rf"(?:[bBrRuUfFNE]{{0,2}}(?:\"\"\"(?P<triple>(?:[^\"\\]|\\.|\"(?!\"\")){{0,{MAX_VALUE}}})(?:\"\"\")?"
    rf"|'''(?P<thrice>(?:[^'\\]|\\.|'(?!'')){{0,{MAX_VALUE}}})(?:''')?"
    rf"|\"(?P<double>(?:[^\"\\\n]|\\.){{0,{MAX_VALUE}}})(?P<end2>\"?)"
    rf"|'(?P<single>(?:[^'\\\n]|\\.){{0,{MAX_VALUE}}})(?P<end1>'?))"
    rf"|(?P<escape>\\{{1,15}}[\"'])"
    rf"|(?:&quot;|&#3[49];|&#x27;)(?P<html>[^<>\n]{{0,{MAX_VALUE}}}?)(?:&quot;|&#3[49];|&#x27;)"
    rf"|%22(?P<encoded>[^\s\"'<>&]{{1,{MAX_VALUE}}}?)%22"
    rf"|(?P<block>[|>][+-]?[ \t]*\n(?:[ \t]+[^\n]{{0,{MAX_VALUE}}}(?:\n|\Z)){{1,{MAX_LINES}}})"
    rf"|\{{(?P<braced>[^{{}}\"'\n]{{1,200}})\}}"
    rf"|(?P<bare>(?:[^\s,;&\"'<>()\[\]{{}}\\]|\\u[0-9a-fA-F]{{4}}){{1,{MAX_VALUE}}}))"
)
_CONTINUED = re.compile(rf"(?:\n(?!\s*\n)[^\n]{{0,{MAX_VALUE}}}){{1,{MAX_LINES}}}")
_CLOSING = {
    quote: re.compile(
        rf"(?:[^{quote}\\\n]|\\.|\n(?!\s*\n|[ \t]{{0,20}}File \")){{0,{MAX_VALUE}}}{quote}(?=\s*(?:[,;:)\]}}]|\Z|\n))"
    )
    for quote in "\"'"
}
"""The rest of a quoted value over several lines, up to the closing quote. No blank line and no frame may be between."""
_ESCAPED_QUOTE = re.compile(
    rf"[^\"'\n\\]{{0,{MAX_VALUE}}}?(?P<slashes>\\{{0,31}})(?P<quote>[\"'])|[^\"'\n\\]{{1,{MAX_VALUE}}}|\\"
)


class Value(NamedTuple):
    """The value behind a label: the span from `start` to `stop` is its text."""

    start: int
    stop: int
    end: int
    """The position behind the value, including its closing quote."""
    secrets: tuple[Secret, ...]
    bare: bool = False
    """Whether it is written without quotes."""

    @classmethod
    def of(cls, text: str, start: int, stop: int, *, end: int = 0, bare: bool = False) -> Value:
        """A value whose whole text is the secret. If it is partly masked already, no repeats are searched for."""
        word = text[start:stop]
        repeats = ("",) if MASK in word else (word, *(word.split("\n") if "\n" in word else ()))
        return cls(start, stop, max(stop, end), tuple(Secret(start, stop, repeat.strip()) for repeat in repeats), bare)


def value_at(text: str, start: int) -> Value | None:
    """The value that begins at `start`; None if there is none or it is empty."""
    match = _VALUE.match(text, start)
    if match is None:
        return None
    kind = next(name for name, found in match.groupdict().items() if found is not None)
    if kind == "escape":
        return _escaped(text, match.end(), match["escape"])
    begin, stop = match.span(kind)
    if kind == "block":
        first = text.index("\n", begin)
        begin = match.end() - len(text[first : match.end()].lstrip())
        stop = begin + len(text[begin : match.end()].rstrip())
    end = match.end()
    if kind in ("single", "double") and not match["end1" if kind == "single" else "end2"]:
        stop, end = _over_lines(text, match.end(), '"' if kind == "double" else "'")
    return Value.of(text, begin, stop, end=end, bare=kind == "bare") if stop > begin else None


def _over_lines(text: str, stop: int, quote: str) -> tuple[int, int]:
    """`stop` and `end` of a quoted value whose first line has no closing quote."""
    match = _CLOSING[quote].match(text, stop) if text[stop : stop + 1] == "\n" else None
    return (match.end() - 1, match.end()) if match else (stop, stop)


def _escaped(text: str, start: int, opening: str) -> Value | None:
    """A value of JSON inside a JSON string: it ends at a quote with as many backslashes as the opening one."""
    place, most = start, start + MAX_VALUE
    while place < most and (match := _ESCAPED_QUOTE.match(text, place)):
        place = match.end()
        if match["quote"] == opening[-1] and len(match["slashes"]) <= len(opening) - 1:
            stop = place - 1 - len(match["slashes"])
            return Value.of(text, start, stop, end=place) if stop > start else None
    return Value.of(text, start, place) if place > start else None
