"""The variable parts of a message, replaced by typed placeholders: what stays is the same for each repeat of an error.

    Order 17 of ada@example.org failed after 3.2 s  →  Order <number> of <email> failed after <duration>

One pass with the fixed table of `patterns`. What an error writes in the same words each time
stays: exception wording, names in code, `utf-8`, HTTP status, errno, exit codes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from relay.parameterize.patterns import RULES, Rule, any_case

MAX_TEXT = 16_384
"""Characters of a message that are looked at."""
MAX_TEMPLATE = 1_000
"""Characters of a template that count."""
MAX_LINES = 12
"""Lines of a template that count."""

MAX_KEPT = 1_000
"""Characters of a message whose key is kept; with the number of keys this bounds the memory."""
MAX_KEYS = 1_024

_BEGINS = "(?<![A-Za-z0-9_])"
_GATES = {
    "L": "(?=[A-Za-z]{1,40}+[,:]? )",
    "D": "(?=[0-9]{1,40}+ )",
    "d": "(?=[0-9])",
    "l": "(?=[A-Za-z_\u00c0-\u024f])",
    "m": "(?=['\"`\u2018\u201c\u00ab\u201e<\\[(\uff08:/~\\\\])",
}
"""A rule is tried only where the character before and the first one fit: most places are passed by at once.

Most words and numbers have a blank behind them, and few rules go on over it: only those are tried there.
"""
_NOTHING_FITS = {"L": "[A-Za-z]{1,40}+"}
"""What is passed by where no rule fits: a word. Of numbers, one always does."""

_OPENERS = """
user username login customer client employee member owner author by for from to of with and error http status exit
exited player guest patient student driver tenant operator seller buyer agent reader subscriber von für durch an mit
de por para pour par di da benutzer nutzer kunde usuario utente cliente utilisateur dev device disk drive key enum
host server node machine computer
"""
_PLAIN_WORDS = rf"(?:(?!{any_case(_OPENERS.split())}\b)[A-Za-z]{{1,40}}+[,:]? (?=[a-z]))+"
"""Words before other words, where no rule can begin: they stay, and are passed by together.

`_OPENERS` are the words with which a rule of several words begins.
"""


class Template(NamedTuple):
    """A message without its data."""

    text: str
    """With typed placeholders, for people."""
    key: str
    """With untyped ones, a list of any length as one: what equal errors have in common."""
    found: tuple[tuple[str, str], ...] = ()
    """The kind and the text of what was replaced, in order."""


class Parameterizer:
    """A table of rules, made ready."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._by_group: dict[str | None, Rule] = {}
        """What replaces something, by its group in the pattern."""
        gated = [_PLAIN_WORDS]
        for starts, gate in _GATES.items():
            named = {f"{starts}{number}": rule for number, rule in enumerate(rules) if _fits(rule, starts)}
            # An empty group at its end names the rule: at its beginning it would cost where the rule does not fit.
            tried = [f"(?:{rule.pattern})(?P<{name}>)" for name, rule in named.items()]
            tried += [_NOTHING_FITS[starts]] if starts in _NOTHING_FITS else []
            gated += [f"{gate}(?:{'|'.join(tried)})"] if tried else []
            self._by_group |= {name: rule for name, rule in named.items() if rule.kind}
        self._pattern = re.compile(f"{_BEGINS}(?:{'|'.join(gated)})")

    def template(self, text: str) -> Template:
        """`text` without its data. Any text, of which the first `MAX_TEXT` characters count."""
        found: list[tuple[str, str]] = []
        typed = self._replaced(_without_structures(text[:MAX_TEXT], found), found)
        key = _kept_key(typed) if len(typed) <= MAX_KEPT else _key(typed)
        return Template(text=typed, key=key, found=tuple(found))

    def _replaced(self, text: str, found: list[tuple[str, str]]) -> str:
        pieces: list[str] = []
        done = 0
        for match in self._pattern.finditer(text):
            rule = self._by_group.get(match.lastgroup)
            if rule is None:
                continue
            value = match[0]
            new = rule.rename(value) if rule.rename else f"<{rule.kind}>"
            if new != value:
                found.append((rule.kind, value))
                pieces += (text[done : match.start()], new)
                done = match.end()
        return "".join(pieces) + text[done:] if pieces else text


def _fits(rule: Rule, starts: str) -> bool:
    """Whether it belongs to that gate."""
    return starts in (rule.starts if starts.isupper() else rule.starts.lower())


@lru_cache(maxsize=1)
def _default() -> Parameterizer:
    return Parameterizer()


def parameterize(text: str) -> Template:
    """`text` without its data, by the whole table of rules; see `Parameterizer.template`."""
    return _parameterised(text[:MAX_TEXT])


@lru_cache(maxsize=2)
def _parameterised(text: str) -> Template:
    """Kept, since a storm is one mail again and again; two, since they take what their data take, which may be much."""
    return _default().template(text)


# --- Structures: JSON, lists, dicts -----------------------------------------------------------------------------------

_STRUCTURE = re.compile(r"[\[{](?<![\w/].)[ \n]{0,4}(?=[\"'\]}<(0-9-]|[\[{][ \n]{0,4}[\"'\[{\]}<(0-9-])")
"""It looks back from behind its bracket, since a pattern that begins with few letters is found fastest."""
_BRACKET = re.compile(r"[\[\]{}\"'\\]")
_CUT_OFF = re.compile(r"\{[ \n]{0,4}[\"']|\[[ \n]{0,4}\{")


def _without_structures(text: str, found: list[tuple[str, str]]) -> str:
    """JSON and the like as one `<data>`, whatever its size; also where it is cut off before its end."""
    pieces: list[str] = []
    done = 0
    while match := _STRUCTURE.search(text, done):
        end = _end_of_structure(text, match.start())
        if end < 0:
            break
        data = text[match.start() : end]
        pieces += (text[done : match.start()], "<data>", _told_in(data))
        found.append(("data", data))
        done = end
    return "".join(pieces) + text[done:] if pieces else text


_TOLD = re.compile(
    r"[\"'](?:msg|message|error|errmsg|error_message|error_description|reason)[\"'] ?: ?"
    r"(?:\"(?P<double>[^\"\\\n]{2,300})|'(?P<single>[^'\\\n]{2,300}))"
)
"""What went wrong, as answers of services and the results of tools name it among their data."""


def _told_in(data: str) -> str:
    match = _TOLD.search(data, 0, 4_000)
    words = (match["double"] or match["single"]) if match else ""
    return f" {words}" if " " in words else ""


def _end_of_structure(text: str, start: int) -> int:
    """Where the structure that begins at `start` ends; the text's end where it is cut off, -1 where it is none."""
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
_ENCLOSED = re.compile(r"\(\*\)|(?<= )\(\)|\[\*\]|\{\*\}|<\*>|'\*'|\"\*\"")
_PLURAL = re.compile(r"\* ([a-z-]{2,30}?)(?:\(s\)|(?<![sui])s)(?![a-z])")
_AGREES = re.compile(r"(\* (?:[a-z-]{2,30} ){1,2})(?:were|was|are|is|have|has)(?![a-z])")
_PLURAL_BEHIND = re.compile(r"\* ([a-z-]{2,30} [a-z-]{2,30}?)(?:\(s\)|(?<![sui])s)(?![a-z])")
"""`3 rows were lost`, `3 failed jobs`: the verb, and a noun behind another word, go with the number."""
_ROW = re.compile(
    r"^[ \t]*+(?!\S++:[ \t])\S++(?: \S\S*+)*+(?:(?: {2,}|[ ]?\t[ \t]*)(?<=[ \t])\S++(?: \S\S*+)*+|(?!)){2,}+[ \t]*$",
    re.MULTILINE,
)
"""A line of a table: three cells or more, with more than a blank between them.

Python before 3.11.5 does not go back to where a possessive repeat failed if it failed inside of another repeat:
`\\S\\S*+` fails before that, and `(?!)` as the last choice goes back.
"""
_REPEATED = re.compile(r"(?<!\S)(\S{0,40}\*\S{0,40})(?:[ ,]{1,2}\1)+(?!\S)")
_SPACE = re.compile(r"[ \t]+")


def _row(found: re.Match[str]) -> str:
    """Rows with data are as many as there are things to tell of, each under its name; what has none is the heading."""
    return "*" if "*" in found[0] else found[0]


@lru_cache(maxsize=MAX_KEYS)
def _kept_key(typed: str) -> str:
    return _key(typed)


def _key(typed: str) -> str:
    """Untyped, since one error may write a host here and an address there; runs of data as one."""
    typed = _BESIDE_MASK.sub("*", typed) if "[masked]" in typed else typed
    key = _PLACEHOLDER.sub("*", typed)
    if "\n" in key:
        key = _ROW.sub(_row, key)
    key = _SPACE.sub(" ", key)
    if "*" in key or " ()" in key:  # nothing of it fits elsewhere
        key = _joined(key)
    lines = dict.fromkeys(line.strip() for line in key.split("\n"))
    lines.pop("", None)
    return "\n".join(list(lines)[:MAX_LINES])[:MAX_TEMPLATE]


def _joined(key: str) -> str:
    """Runs of data as one, with what encloses them, and words as they go with any number."""
    key = _ELIDED.sub("*", key)
    for _ in range(3):
        key = _ENCLOSED.sub("*", _RUN.sub("*", key))
    key = _AGREES.sub(r"\1be", _PLURAL.sub(r"* \1", _REPEATED.sub(r"\1", key)))
    return _PLURAL_BEHIND.sub(r"* \1", key)
