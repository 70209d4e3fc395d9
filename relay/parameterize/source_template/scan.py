"""Split a source line of Python into string literals, brackets and other text (source_template).

The scanner knows how Python writes strings, and nothing else of its grammar.
Guarantee: linear in the line. A line above `MAX_LINE` characters or with over `MAX_DEPTH` open brackets gives nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.parameterize.source_template.template import SourceTemplate, hole, joined, literal

MAX_LINE = 1_000
"""Characters of the longest source text that is read."""
MAX_DEPTH = 20
"""Open brackets, and strings inside expressions inside strings."""


class Quoted(NamedTuple):
    """A string literal."""

    template: SourceTemplate
    """The text and, for an interpolated string, its holes."""
    text: str
    """As written, with its quotes."""


class Group(NamedTuple):
    """A pair of brackets."""

    opener: str
    tokens: list[Token]


Token = str | Quoted | Group
"""A name with its dots (`.format`, `exc.args`), a number or a mark; a string; or brackets."""


class ScanError(Exception):
    """The text is not a complete piece of source code, or it is too long or too deep."""


_OPENER = re.compile(r"(?<!\w)(?P<prefix>[rRbBuUfFtT]{0,2})(?P<quote>'''|\"\"\"|'|\")")
"""The beginning of a string."""
_TOKEN = re.compile(r"[.:?@$&]{0,2}[^\W\d]\w*[!?]?(?:\.[^\W\d]\w*[!?]?)*|\d[\w.]*|->|=>|::|\S")
_PLAIN = re.compile(r"[\w ,.:;!?()-]*")
"""Text inside a string that neither ends it nor begins a hole."""
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}|(.))", re.DOTALL
)
_MAX_CODE_POINT = 0x10FFFF


def scan(text: str) -> list[Token]:
    """Return the tokens of `text`. Raises ScanError if it is not complete, too long or too deep."""
    if len(text) > MAX_LINE:
        raise ScanError
    top: list[Token] = []
    open_groups = [Group("", top)]
    position = 0
    while position < len(text):
        if text.startswith("#", position) and (position == 0 or text[position - 1].isspace()):
            break
        if match := _OPENER.match(text, position):
            template, position = _string(text, match, 0)
            open_groups[-1].tokens.append(Quoted(template, text[match.start() : position]))
        elif text[position].isspace():
            position += 1
        else:
            position = _take(text, position, open_groups)
    if len(open_groups) > 1:
        raise ScanError
    return top


def _take(text: str, position: int, open_groups: list[Group]) -> int:
    """Add the bracket, name or mark at `position` to the groups. Return the position after it."""
    char = text[position]
    if char in _CLOSERS:
        group = Group(char, [])
        open_groups[-1].tokens.append(group)
        open_groups.append(group)
        if len(open_groups) > MAX_DEPTH:
            raise ScanError
        return position + 1
    if char in ")]}":
        if _CLOSERS.get(open_groups.pop().opener) != char:
            raise ScanError
        return position + 1
    match = _TOKEN.match(text, position)
    if match is None:
        raise ScanError
    open_groups[-1].tokens.append(match[0])
    return match.end()


def _string(text: str, opener: re.Match[str], depth: int) -> tuple[SourceTemplate, int]:
    """Return the string literal that begins with `opener`, and the position after its closing quote."""
    if depth > MAX_DEPTH:
        raise ScanError
    prefix, quote = opener["prefix"].lower(), opener["quote"]
    raw = "r" in prefix
    pieces: list[SourceTemplate] = []
    position = begin = opener.end()
    while not text.startswith(quote, position):
        found: tuple[SourceTemplate, int] | None = None
        if position >= len(text):
            raise ScanError
        if text[position] == "\\":
            position += 2
            continue
        if "f" in prefix:
            if text[position : position + 2] in ("{{", "}}"):
                found = literal(text[position]), position + 2
            elif text[position] == "{":
                found = _hole(text, position + 1, depth)
        if found:
            pieces += literal(_decoded(text[begin:position], raw=raw)), found[0]
            position = begin = found[1]
        else:
            plain = _PLAIN.match(text, position + 1)
            position = plain.end() if plain else position + 1
    pieces.append(literal(_decoded(text[begin:position], raw=raw)))
    return joined(pieces) if len(pieces) > 1 else pieces[0], position + len(quote)


def _hole(text: str, begin: int, depth: int) -> tuple[SourceTemplate, int]:
    """Return the hole whose expression begins at `begin`, and the position after its closing brace."""
    open_brackets: list[str] = []
    position, end = begin, -1
    while position < len(text):
        char = text[position]
        if match := _OPENER.match(text, position):
            position = _string(text, match, depth + 1)[1]
            continue
        if char in _CLOSERS:
            open_brackets.append(char)
            if len(open_brackets) > MAX_DEPTH:
                raise ScanError
        elif char == "}" and not open_brackets:
            return _with_format(text[begin:position] if end < 0 else text[begin:end]), position + 1
        elif char in ")]}":
            if not open_brackets or _CLOSERS[open_brackets.pop()] != char:
                raise ScanError
        elif end < 0 and not open_brackets and _begins_format(text, position):
            end = position
        position += 1
    raise ScanError


def _begins_format(text: str, position: int) -> bool:
    """Return True at the `!` or `:` that ends the expression of an f-string; not at the one of `!=` or `:=`."""
    return text[position] == ":" or (text[position] == "!" and text[position + 1 : position + 2] in ("r", "s", "a"))


def _with_format(expression: str) -> SourceTemplate:
    """Return the hole of `expression`; `{left=}` also prints the expression itself."""
    stripped = expression.rstrip()
    if stripped.endswith("=") and stripped[-2:-1] not in ("=", "!", "<", ">"):
        return joined((literal(expression), hole(stripped[:-1].strip())))
    return hole(expression.strip())


def _decoded(text: str, *, raw: bool) -> str:
    """Return a string as the program sees it: escapes are replaced by their characters."""
    return text if raw or "\\" not in text else _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if found.lastindex == 5:
        return _ESCAPES.get(found[5], found[5] if found[5] in "\\'\"`$#{}" else found[0])
    code = int(found[found.lastindex or 0], 16)
    return chr(code) if code <= _MAX_CODE_POINT else found[0]
