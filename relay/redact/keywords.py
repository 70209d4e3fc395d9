"""Values behind a name that gives them away: `password=…`, `"token": "…"`, `--api-key …`, `Authorization: Bearer …`.

In whatever writes names and values: assignments, JSON (also as a string in JSON), dicts and structures of other
languages, query strings, headers, options, YAML, attributes and elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relay.redact.headers import HEADERS, header_value
from relay.redact.names import ASSIGNED, Names, identifier_start, suffix_end
from relay.redact.secret import MASK, Secret
from relay.redact.values import Value, value_at

_TYPE = r"(?::[ ]?(?:str|bytes|string|String|Optional\[str\]|SecretStr)(?:[ ]?\|[ ]?None)?[ ]?=)"
_CLOSED = r"(?P<closed>(?:\\{0,15}[\"'`\]]|%5[Dd]|%22|&quot;|&#3[49];|&#x27;){0,3})"
_WRAPPED = (
    r"(?:[\[(]|(?:Some|Ok|Just|Secret|SecretStr|SecretString|MD5|SHA\d{0,3}|HEX|CRYPT|ENCRYPT|md5|sha\d{0,3}|crypt)\()"
    r"\s{0,40}(?=(?:[bBuUrRNE]|\\{1,15})?[\"'])"
)
"""What may stand around a value in quotes: a list, a tuple, an option of Rust, a function of SQL."""
_SIGN = (
    rf"(?:[ \t]{{0,40}}(?:{_TYPE}|=>(?:\s{{1,40}}string\(\d{{1,9}}\))?|:=|->|→|=(?!=)|%3[DdAa]"
    r"|[=!]={1,2}(?=[ ]?[\"'])|[:\uff1a](?!:)|;s:\d{1,9}:)"
    r"|\)?[ ]?(?:!?=|<>|[ ](?:NOT[ ])?(?:I?LIKE|I?like|IN[ ]?\(|in[ ]?\())(?=[ ]?[NE]?'))"
    rf"[ \t]{{0,40}}(?:{_WRAPPED})?"
)
_VALUE_NAMED = (
    r"(?:[ \t]{1,9}type=[\"']?\w{1,20}[\"']?)?[ \t]{0,9},?\s{1,40}"
    r"\\{0,15}[\"']?[vV]alue\\{0,15}[\"']?[ \t]{0,3}[:=][ \t]{0,3}"
)
_SEPARATOR = re.compile(rf"{_CLOSED}(?P<sign>{_SIGN}|{_VALUE_NAMED})")
"""What may stand between a name and its value; the last are pairs that name it: `{"name": "token", "value": "…"}`."""
_OPTION = re.compile(r"(?P<closed>[\"']?)(?P<sign>,?[ \t]{1,9})(?=[^\s-])")
_QUOTED = re.compile(r"(?P<closed>)(?P<sign>[ \t]{1,3})(?=[\"'])")
_PAIR = re.compile(r"(?P<closed>[\"'])(?P<sign>,[ ]?)(?=[bBuU]?[\"'])")
_ELEMENT = re.compile(r"(?P<closed>(?:[ \t][^<>\n]{0,200})?)(?P<sign>>)")
_NAMESPACE = re.compile(r"<\w{1,30}:\Z")
_BEFORE_QUOTED = frozenset(("password", "passwd", "passphrase"))
_EXPECTED = re.compile(r"(?:unexpected|near|expected)[ ]$", re.IGNORECASE)

_NOTHING = frozenset(
    (
        "none", "null", "nil", "true", "false", "undefined", "str", "bytes", "string", "optional", "any", "expired",
        "missing", "invalid", "required", "closed", "failed", "unknown", "empty", "wrong", "incorrect", "enabled",
        "disabled", "changed", "accepted", "rejected", "ok", "yes", "no", "n/a", "open", "active", "inactive", "valid",
        "revoked", "denied", "refused", "absent", "unset", "started", "ended", "lost",
    )
)  # fmt: skip
"""What stands where a secret would, without quotes, and is none."""
_SENTENCE = _NOTHING | frozenset(
    (
        "a", "an", "the", "this", "that", "it", "its", "your", "his", "her", "is", "are", "was", "were", "be", "been",
        "must", "may", "can", "cannot", "could", "should", "will", "would", "has", "have", "had", "do", "does", "did",
        "not", "for", "of", "to", "in", "on", "at", "by", "with", "from", "as", "and", "or", "but", "if", "than",
        "too", "please", "enter", "given", "provided", "field", "user", "error", "failure", "verification",
    )
)  # fmt: skip
"""Words of what is said about a passphrase; few passphrases have one."""
_PHRASE = re.compile(r"[^\W_][\w'-]{0,30}(?: [^\W_][\w'-]{0,30}){2,23}")
_LEAST_WORDS = 3
MOST_LABELS = 4_000
"""Behind so many of one name the rest of a text is masked: no text may keep the worker for longer."""
_MODES = ("include", "omit", "same-origin")
"""Of `credentials` in the fetch standard."""
_BLOCKS = ("|", "|-", "|+")
"""YAML's beginning of a block."""
_PROSE = re.compile(r" [a-z]")
_SOURCE = re.compile(r"[ \t|>]{0,40}File \"")
_PATH = re.compile(r"(?:/|~/|\./|[A-Za-z]:\\)[\w./\\ -]{0,400}")
_FILE = re.compile(r"[\w./\\~:-]{1,400}\.(?:pem|key|crt|cer|p12|pfx|json|txt|ya?ml|toml|py)")
_NEXT = re.compile(r"\s{0,9},\s{0,40}(?=(?:[bBuU]|\\{1,15})?[\"'])")
_ENTRY = re.compile(r"[{,]\s{0,40}b?[\"'][^\"'\n]{1,100}[\"'][ ]?(?::|=>)[ ]?(?=b?[\"'])")
_OF_SECRETS = frozenset(("cookies", "secrets"))
_MOST_ELEMENTS = 100
_ENV_LINE = re.compile(r"(?:export |declare -x |ENV |set )?[A-Z0-9_]{1,80}=")


class Label(NamedTuple):
    """A secret name with what links it to its value, which begins at `end`."""

    name: str
    start: int
    """Where the identifier begins that ends with the name."""
    closed: str
    """Quotes and brackets that end the identifier."""
    sign: str
    end: int


def labelled(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """The values in `text` (`lower` in lower case) behind one of `names`."""
    end = len(text)
    for name, places in names.among(text, lower):
        done = looked_at = 0
        for place in places:
            if place >= end:
                break
            if place < done:
                continue
            label = _label(text, name, place)
            looked_at += label is not None
            if label and looked_at > MOST_LABELS:
                yield Secret(label.end, end)
                end = place
                break
            for value in _values(text, label) if label else ():
                done = max(done, value.end)
                if label and not _is_none(text, label, value):
                    yield from value.secrets


def _label(text: str, name: str, place: int) -> Label | None:
    end = suffix_end(text, place + len(name))
    match = _SEPARATOR.match(text, end)
    if match:
        if name in ASSIGNED and ":" in match["sign"] and not match["closed"]:
            return None
        return Label(name, identifier_start(text, place), match["closed"], match["sign"], match.end())
    if text[end : end + 1] not in (" ", "\t", '"', "'", ">", ","):
        return None
    start = identifier_start(text, place)
    match = _other_link(text, name, start, end)
    return Label(name, start, match["closed"], match["sign"], match.end()) if match else None


def _other_link(text: str, name: str, start: int, end: int) -> re.Match[str] | None:
    """An option (`--password x`), an element (`<password>x<`), a pair (`('password', 'x')`), `PASSWORD 'x'`."""
    before = text[max(0, start - 3) : start]
    if before.endswith("-") or text[start : start + 1] == "-":
        return _OPTION.match(text, end)
    if before.endswith("<") or _NAMESPACE.search(text, max(0, start - 32), start):
        return _ELEMENT.match(text, end)
    if before.endswith(("('", '("', "(b'", "['", '["', "[b'")):
        return _PAIR.match(text, end)
    return _QUOTED.match(text, end) if name in _BEFORE_QUOTED else None


def _values(text: str, label: Label) -> Sequence[Value]:
    """The value, or those of a list, a tuple or a dict of secrets. Of `auth=('ada', '…')` the last."""
    if label.name in _OF_SECRETS and text[label.end : label.end + 1] == "{":
        return list(_entries(text, label.end))
    first = _value(text, label)
    if first is None:
        return ()
    values = [first]
    if label.sign.rstrip().endswith(("[", "(")):
        while len(values) < _MOST_ELEMENTS and (comma := _NEXT.match(text, values[-1].end)):
            value = value_at(text, comma.end())
            if value is None:
                break
            values.append(value)
    return values[-1:] if label.name == "auth" else values


def _entries(text: str, place: int) -> Iterator[Value]:
    for _ in range(_MOST_ELEMENTS):
        entry = _ENTRY.match(text, place)
        value = value_at(text, entry.end()) if entry else None
        if value is None:
            return
        yield value
        place = value.end


def _value(text: str, label: Label) -> Value | None:
    quoted = text[label.end : label.end + 1] in ("'", '"')
    if label.name in HEADERS and (quoted or ":" in label.sign or "," in label.sign):
        return header_value(text, label.name, label.start, label.end)
    if label.sign == ">":
        return _inner_text(text, label.end)
    if label.sign == "=" and _is_env_line(text, label):
        return _rest_of_line(text, label.end)
    if label.name == "passphrase" and label.sign.strip() in (":", "="):
        return _phrase(text, label.end) or value_at(text, label.end)
    return value_at(text, label.end)


def _phrase(text: str, start: int) -> Value | None:
    """Several bare words, up to one that belongs to a sentence."""
    match = _PHRASE.match(text, start)
    words = match[0].split(" ") if match else []
    number = next((place for place, word in enumerate(words) if word.lower() in _SENTENCE), len(words))
    if number < _LEAST_WORDS:
        return None
    return Value.of(text, start, start + len(" ".join(words[:number])))


def _inner_text(text: str, start: int) -> Value | None:
    end = text.find("</", start, start + 4_000)
    inner = text[start:end] if end >= 0 else text[start : start + 4_000].partition("\n")[0]
    begin = start + (9 if inner.startswith("<![CDATA[") else 0)
    stop = start + len(inner) - (3 if inner.endswith("]]>") and begin > start else 0)
    return Value.of(text, begin, stop) if text[begin:stop].strip() and "<" not in text[begin:stop] else None


def _is_env_line(text: str, label: Label) -> bool:
    line = text.rfind("\n", max(0, label.start - 100), label.start) + 1
    if line == 0 and label.start > 100:
        return False
    return text[label.end : label.end + 1] not in "\"'" and _ENV_LINE.fullmatch(text, line, label.end) is not None


def _rest_of_line(text: str, start: int) -> Value | None:
    end = text.find("\n", start, start + 4_000)
    stop = end if end >= 0 else min(len(text), start + 4_000)
    rest = text[start:stop].rstrip()
    return Value.of(text, start, start + len(rest), bare=not rest.count(" ")) if rest else None


def _is_none(text: str, label: Label, value: Value) -> bool:
    """Whether what stands there is no secret: nothing, masked already, code, prose or the name of a file."""
    word = text[value.start : value.stop]
    if not word.strip("* ") or word == MASK or (value.bare and word.lower() in _NOTHING):
        return True
    if label.sign.rstrip().endswith("[") and _is_said(word):
        return True  # what a form says is wrong with its field
    if (value.bare and word in _BLOCKS) or (label.name == "credentials" and word in _MODES):
        return True
    if label.name == "token" and _EXPECTED.search(text, max(0, label.start - 12), label.start):
        return True
    if (label.name == "pwd" and _PATH.fullmatch(word)) or (label.name == "key" and _FILE.fullmatch(word)):
        return True  # the environment's folder; where a key lies
    return value.bare and _is_code_or_prose(text, label, value, word)


def _is_said(word: str) -> bool:
    words = word.lower().rstrip(".!").split(" ")
    return len(words) > 1 and not _SENTENCE.isdisjoint(words)


def _is_code_or_prose(text: str, label: Label, value: Value, word: str) -> bool:
    if text[value.end : value.end + 1] in ("(", "[") and word.replace(".", "").replace("_", "").isalnum():
        return True  # a call or a subscript
    few_digits = word.isdigit() and len(word) < 6
    if label.sign != "=" and ((word.isalpha() and word[1:].islower()) or few_digits) and _PROSE.match(text, value.end):
        return True  # "invalid token: expected a number"
    if few_digits and label.name == "pass":
        return True  # of tests
    line = text.rfind("\n", max(0, label.start - 1_000), label.start)
    before = text.rfind("\n", max(0, line - 1_000), line) if line > 0 else -1
    return line > 0 and _SOURCE.match(text, before + 1) is not None  # a line of source holds names, not values
