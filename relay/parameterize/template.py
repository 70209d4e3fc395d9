"""Replace the variable parts of a message by typed placeholders; the rest is the same for each repeat of an error.

    Order 17 of ada@example.org failed after 3.2 s  →  Order <number> of <email> failed after <duration>

One pass over the text with the rules of `patterns`. Text that is the same for each repeat stays: the wording of
exceptions, names from the code, `utf-8`, HTTP status, errno, exit codes. Fingerprints use the key of a template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from relay.parameterize import known_data
from relay.parameterize.known_data import Edit, Span
from relay.parameterize.patterns import RULES, Rule, any_case
from relay.parameterize.replacements import statement, statement_1

MAX_TEXT = 16_384
"""Characters of a message that are read."""
MAX_TEMPLATE = 1_000
"""Characters of a key; the rest is cut off."""
MAX_LINES = 12
"""Lines of a key; further lines are left out."""

MAX_MEMOIZED = 1_000
"""Characters of the longest template whose key is memoized. With `MAX_KEYS`, this bounds the memory."""
MAX_KEYS = 1_024

_BEGINS = "(?<![A-Za-z0-9_])"
_GATES = {
    "L": "(?=[A-Za-z]{1,40}+[,:]? )",
    "D": "(?=[0-9]{1,40}+ )",
    "d": "(?=[0-9])",
    "l": "(?=[A-Za-z_\u00c0-\u024f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3])",
    "m": "(?=['\"`\u2018\u201c\u00ab\u201e<\\[(\uff08:/~\\\\])",
}
"""A lookahead for each value of `Rule.starts`: a rule is tried only if the previous and the first character fit.

Most words and numbers are followed by a space, and few rules continue across it. Only those rules are tried there
(`L`, `D`).
"""
_NO_MATCH = {"L": "[A-Za-z]{1,40}+"}
"""What to skip if no rule of the gate matches: the word. For numbers, a rule always matches."""

_OPENERS = """
user username login customer client employee member owner author by for from to of with and error http status exit
exited player guest patient student driver tenant operator seller buyer agent reader subscriber von für durch an mit
de por para pour par di da benutzer nutzer kunde usuario utente cliente utilisateur dev device disk drive key enum
host server node machine computer
"""
_PLAIN_WORDS = rf"(?:(?!{any_case(_OPENERS.split())}\b)[A-Za-z]{{1,40}}+[,:]? (?=[a-z]))+"
"""A run of words at which no rule can begin. It stays and is skipped at once.

`_OPENERS` are the words with which the rules of several words begin.
"""


class Template(NamedTuple):
    """A message without its data."""

    text: str
    """With typed placeholders, to show to people."""
    key: str
    """With untyped placeholders, and a list of any length as one: equal for all repeats of an error."""
    found: tuple[tuple[str, str], ...] = ()
    """The kind and the text of each replaced part, in order."""


class Parameterizer:
    """A table of rules, compiled into one regular expression."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._by_group: dict[str | None, Rule] = {}
        """The rules that replace text, by the name of their group in the pattern."""
        gated = [_PLAIN_WORDS]
        for starts, gate in _GATES.items():
            by_group = {f"{starts}{number}": rule for number, rule in enumerate(rules) if _is_gated_by(rule, starts)}
            # An empty group at the end names the rule. At the beginning, it would cost time even without a match.
            alternatives = [f"(?:{rule.pattern})(?P<{name}>)" for name, rule in by_group.items()]
            alternatives += [_NO_MATCH[starts]] if starts in _NO_MATCH else []
            gated += [f"{gate}(?:{'|'.join(alternatives)})"] if alternatives else []
            self._by_group |= {name: rule for name, rule in by_group.items() if rule.kind}
        self._pattern = re.compile(f"{_BEGINS}(?:{'|'.join(gated)})")

    def template(self, text: str, data: Sequence[Span] = ()) -> Template:
        """Return `text` without its data. Only the first `MAX_TEXT` characters are read.

        `data` are parts of `text` that are data, whatever they look like: in their order, without overlaps.
        """
        found: list[tuple[str, str]] = []
        structures: list[Edit] = []
        plain = _without_structures(text[:MAX_TEXT], found, structures)
        if data and (moved := known_data.moved(data, structures)):
            matches = [self._edit(match) for match in self._pattern.finditer(plain) if match.lastgroup]
            typed = known_data.replaced(plain, matches, moved, found)
        else:
            typed = self._replaced(plain, found)
        key = _memoized_key(typed) if len(typed) <= MAX_MEMOIZED else _key(typed)
        return Template(text=typed, key=key, found=tuple(found))

    def _edit(self, match: re.Match[str]) -> Edit:
        """Return what the matching rule makes of its match; a rule for text that stays makes no change."""
        rule = self._by_group.get(match.lastgroup)
        value = match[0]
        new = value if rule is None else rule.replace(value) if rule.replace else f"<{rule.kind}>"
        return Edit(match.start(), match.end(), new, rule)

    def _replaced(self, text: str, found: list[tuple[str, str]]) -> str:
        pieces: list[str] = []
        done = 0
        for match in self._pattern.finditer(text):
            rule = self._by_group.get(match.lastgroup)
            if rule is None:
                continue
            value = match[0]
            new = rule.replace(value) if rule.replace else f"<{rule.kind}>"
            if new != value:
                found.append((rule.kind, value))
                pieces += (text[done : match.start()], new)
                done = match.end()
        return "".join(pieces) + text[done:] if pieces else text


def _is_gated_by(rule: Rule, starts: str) -> bool:
    """Return True if the rule is tried after the gate `starts`."""
    return starts in (rule.starts if starts.isupper() else rule.starts.lower())


@lru_cache(maxsize=1)
def _default() -> Parameterizer:
    return Parameterizer()


def parameterize(text: str, data: tuple[Span, ...] = ()) -> Template:
    """Return `text` without its data, using all rules; see `Parameterizer.template`."""
    return _memoized_template(text[:MAX_TEXT], data)


@lru_cache(maxsize=2)
def _memoized_template(text: str, data: tuple[Span, ...]) -> Template:
    """Memoized, because an error storm repeats one mail. Only two entries, because the replaced data can be large."""
    return _default().template(text, data)


@lru_cache(maxsize=1)
def _of_version_1() -> Parameterizer:
    return Parameterizer([rule._replace(replace=statement_1) if rule.replace is statement else rule for rule in RULES])


def parameterize_1(text: str) -> Template:
    """Return `text` without its data as version 1 of the fingerprint does: every quotation is data."""
    return _of_version_1().template(text[:MAX_TEXT])


# --- Structures: JSON, lists, dicts -----------------------------------------------------------------------------------

_STRUCTURE = re.compile(r"[\[{](?<![\w/].)[ \n]{0,4}(?=[\"'\]}<(0-9-]|[\[{][ \n]{0,4}[\"'\[{\]}<(0-9-])")
"""The lookbehind stands after the bracket, because a search is fastest if few characters can begin the pattern."""
_BRACKET = re.compile(r"[\[\]{}\"'\\]")
_CUT_OFF = re.compile(r"\{[ \n]{0,4}[\"']|\[[ \n]{0,4}\{")


def _without_structures(text: str, found: list[tuple[str, str]], edits: list[Edit]) -> str:
    """Replace each JSON structure, list or dict by one `<data>`, also if it is cut off before its end.

    An error message in the structure stays, after the placeholder. `found` gets the structures, `edits` their places.
    """
    pieces: list[str] = []
    done = 0
    while match := _STRUCTURE.search(text, done):
        end = _end_of_structure(text, match.start())
        if end < 0:
            break
        data = text[match.start() : end]
        new = "<data>" + _error_text(data)
        pieces += (text[done : match.start()], new)
        found.append(("data", data))
        edits.append(Edit(match.start(), end, new, None))
        done = end
    return "".join(pieces) + text[done:] if pieces else text


_ERROR_TEXT = re.compile(
    r"[\"'](?:msg|message|error|errmsg|error_message|error_description|reason)[\"'] ?: ?"
    r"(?:\"(?P<double>[^\"\\\n]{2,300})|'(?P<single>[^'\\\n]{2,300}))"
)
"""An error message in a structure, as responses of services and results of tools contain it."""


def _error_text(data: str) -> str:
    match = _ERROR_TEXT.search(data, 0, 4_000)
    words = (match["double"] or match["single"]) if match else ""
    return f" {words}" if " " in words else ""


def _end_of_structure(text: str, start: int) -> int:
    """Return the end of the structure that begins at `start`: the end of the text if cut off, -1 if there is none."""
    depth = 0
    quote = ""
    position = start
    while match := _BRACKET.search(text, position):
        char = match[0]
        position = match.end()
        if char == "\\":
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += 1 if char in "[{" else -1
            if depth == 0:
                return position
    return len(text) if _CUT_OFF.match(text, start) else -1


# --- The key ----------------------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"<(?:data|url|email|uuid|trace|time|ip|mac|duration|address|hash|host|path|size|number|text|value|name|id)>|\[masked\]"
)
_BESIDE_MASK = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{0,40}(?:\[masked\])[A-Za-z0-9]{0,40}")
_ELIDED = re.compile(r"(?:\.\.\.|…)?\*(?:\.\.\.|…)")
_RUN = re.compile(r"[-+#~]?\*(?:[ ,;:/|.+&=@-]{0,3}\*)*")
_WRAPPED = re.compile(r"\(\*\)|(?<= )\(\)|\[\*\]|\{\*\}|<\*>|'\*'|\"\*\"")
_PLURAL = re.compile(r"\* ([a-z-]{2,30}?)(?:\(s\)|(?<![sui])s)(?![a-z])")
_AGREES = re.compile(r"(\* (?:[a-z-]{2,30} ){1,2})(?:were|was|are|is|have|has)(?![a-z])")
_PLURAL_AFTER_WORD = re.compile(r"\* ([a-z-]{2,30} [a-z-]{2,30}?)(?:\(s\)|(?<![sui])s)(?![a-z])")
"""A plural noun after another word: `3 failed jobs`. `_AGREES` is a verb after number and noun: `3 rows were lost`."""
_ROW = re.compile(
    r"^[ \t]*+(?!\S++:[ \t])\S++(?: \S\S*+)*+(?:(?: {2,}|[ ]?\t[ \t]*)(?<=[ \t])\S++(?: \S\S*+)*+|(?!)){2,}+[ \t]*$",
    re.MULTILINE,
)
"""A row of a table: three or more cells, with more than one space between them.

Python before 3.11.5 does not backtrack correctly if a possessive repeat fails inside another repeat. Therefore
`\\S\\S*+` fails before the repeat, and the alternative `(?!)` at the end forces the backtracking.
"""
_REPEATED = re.compile(r"(?<!\S)(\S{0,40}\*\S{0,40})(?:[ ,]{1,2}\1)+(?!\S)")
_SPACE = re.compile(r"[ \t]+")


def _row(found: re.Match[str]) -> str:
    """Replace a row that contains data: the number of rows depends on the data. A row without data is the heading."""
    return "*" if "*" in found[0] else found[0]


@lru_cache(maxsize=MAX_KEYS)
def _memoized_key(typed: str) -> str:
    return _key(typed)


def _key(typed: str) -> str:
    """Return the key of a template: placeholders become untyped `*`, and runs of data become one.

    Untyped, because the same error can contain a host name in one mail and an IP address in another.
    """
    typed = _BESIDE_MASK.sub("*", typed) if "[masked]" in typed else typed
    key = _PLACEHOLDER.sub("*", typed)
    if "\n" in key:
        key = _ROW.sub(_row, key)
    key = _SPACE.sub(" ", key)
    if "*" in key or " ()" in key:  # none of the patterns can match otherwise
        key = _merged(key)
    lines = dict.fromkeys(line.strip() for line in key.split("\n"))
    lines.pop("", None)
    return "\n".join(list(lines)[:MAX_LINES])[:MAX_TEMPLATE]


def _merged(key: str) -> str:
    """Merge runs of data, with brackets or quotes around them, and remove differences between singular and plural."""
    key = _ELIDED.sub("*", key)
    for _ in range(3):
        key = _WRAPPED.sub("*", _RUN.sub("*", key))
    key = _AGREES.sub(r"\1be", _PLURAL.sub(r"* \1", _REPEATED.sub(r"\1", key)))
    return _PLURAL_AFTER_WORD.sub(r"* \1", key)
