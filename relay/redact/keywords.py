"""Find values behind a secret name: `password=…`, `"token": "…"`, `--api-key …`, `Authorization: Bearer …`.

It reads every usual notation of name and value: assignments, JSON (also JSON in a JSON string), dicts and structures of
other languages, query strings, headers, command-line options, YAML, XML attributes and elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relay.redact.headers import HEADERS, header_value
from relay.redact.names import ONLY_ASSIGNED, Names, identifier_start, suffix_end
from relay.redact.secret import MASK, Secret
from relay.redact.values import Value, value_at

_TYPE = r"(?::[ ]?(?:str|bytes|string|String|Optional\[str\]|SecretStr)(?:[ ]?\|[ ]?None)?[ ]?=)"
_CLOSED = r"(?P<closed>(?:\\{0,15}[\"'`\]]|%5[Dd]|%22|&quot;|&#3[49];|&#x27;){0,3})"
_WRAPPED = (
    r"(?:[\[(]|(?:Some|Ok|Just|Secret|SecretStr|SecretString|MD5|SHA\d{0,3}|HEX|CRYPT|ENCRYPT|md5|sha\d{0,3}|crypt)\()"
    r"\s{0,40}(?=(?:[bBuUrRNE]|\\{1,15})?[\"'])"
)
"""What may wrap a quoted value: a list, a tuple, an Option of Rust, a function of SQL."""
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
_SEPARATOR = re.compile(rf"{_CLOSED}(?P<separator>{_SIGN}|{_VALUE_NAMED})")
"""What may stand between a name and its value. `_VALUE_NAMED` is for pairs: `{"name": "token", "value": "…"}`."""
_OPTION = re.compile(r"(?P<closed>[\"']?)(?P<separator>,?[ \t]{1,9})(?=[^\s-])")
_QUOTED = re.compile(r"(?P<closed>)(?P<separator>[ \t]{1,3})(?=[\"'])")
_PAIR = re.compile(r"(?P<closed>[\"'])(?P<separator>,[ ]?)(?=[bBuU]?[\"'])")
_ELEMENT = re.compile(r"(?P<closed>(?:[ \t][^<>\n]{0,200})?)(?P<separator>>)")
_NAMESPACE = re.compile(r"<\w{1,30}:\Z")
_BEFORE_QUOTED_VALUE = frozenset(("password", "passwd", "passphrase"))
_PARSER_ERROR = re.compile(r"(?:unexpected|near|expected)[ ]$", re.IGNORECASE)

_NOT_SECRET = frozenset(
    (
        "none", "null", "nil", "true", "false", "undefined", "str", "bytes", "string", "optional", "any", "expired",
        "missing", "invalid", "required", "closed", "failed", "unknown", "empty", "wrong", "incorrect", "enabled",
        "disabled", "changed", "accepted", "rejected", "ok", "yes", "no", "n/a", "open", "active", "inactive", "valid",
        "revoked", "denied", "refused", "absent", "unset", "started", "ended", "lost",
    )
)  # fmt: skip
"""Bare words (without quotes) behind a secret name that are no secret."""
_PROSE_WORDS = _NOT_SECRET | frozenset(
    (
        "a", "an", "the", "this", "that", "it", "its", "your", "his", "her", "is", "are", "was", "were", "be", "been",
        "must", "may", "can", "cannot", "could", "should", "will", "would", "has", "have", "had", "do", "does", "did",
        "not", "for", "of", "to", "in", "on", "at", "by", "with", "from", "as", "and", "or", "but", "if", "than",
        "too", "please", "enter", "given", "provided", "field", "user", "error", "failure", "verification",
    )
)  # fmt: skip
"""Words of sentences about a passphrase. They end a bare passphrase, since few passphrases contain one."""
_PASSPHRASE = re.compile(r"[^\W_][\w'-]{0,30}(?: [^\W_][\w'-]{0,30}){2,23}")
_MIN_WORDS = 3
"""Words of a passphrase without quotes."""
MAX_LABELS = 4_000
"""Occurrences of one name in a text. After the last one the rest of the text is masked: this bounds the time."""
_MODES = ("include", "omit", "same-origin")
"""Values of `credentials` in the fetch standard."""
_BLOCKS = ("|", "|-", "|+")
"""How a YAML block begins."""
_PROSE_FOLLOWS = re.compile(r" [a-z]")
_FRAME_LINE = re.compile(r"[ \t|>]{0,40}File \"")
_PATH = re.compile(r"(?:/|~/|\./|[A-Za-z]:\\)[\w./\\ -]{0,400}")
_FILE = re.compile(r"[\w./\\~:-]{1,400}\.(?:pem|key|crt|cer|p12|pfx|json|txt|ya?ml|toml|py)")
_NEXT_ELEMENT = re.compile(r"\s{0,9},\s{0,40}(?=(?:[bBuU]|\\{1,15})?[\"'])")
_DICT_ENTRY = re.compile(r"[{,]\s{0,40}b?[\"'][^\"'\n]{1,100}[\"'][ ]?(?::|=>)[ ]?(?=b?[\"'])")
_DICTS_OF_SECRETS = frozenset(("cookies", "secrets"))
_MAX_ELEMENTS = 100
_ENV_LINE = re.compile(r"(?:export |declare -x |ENV |set )?[A-Z0-9_]{1,80}=")


class Label(NamedTuple):
    """A secret name in a text and the separator behind it."""

    name: str
    start: int
    """Start of the identifier, which may have a prefix: `DB_PASSWORD`."""
    closed: str
    """Quotes and brackets at the end of the identifier."""
    separator: str
    end: int
    """End of the separator. The value begins here."""


def keyword_values(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """Find the values behind `names` in `text`. `lower` is `text` in lower case, with the same length."""
    end = len(text)
    for name, places in names.occurrences(text, lower):
        done = labels = 0
        for place in places:
            if place >= end:
                break
            if place < done:
                continue
            label = _label(text, name, place)
            labels += label is not None
            if label and labels > MAX_LABELS:
                yield Secret(label.end, end)
                end = place
                break
            for value in _values(text, label) if label else ():
                done = max(done, value.end)
                if label and not _is_no_secret(text, label, value):
                    yield from value.secrets


def _label(text: str, name: str, place: int) -> Label | None:
    end = suffix_end(text, place + len(name))
    match = _SEPARATOR.match(text, end)
    if match:
        if name in ONLY_ASSIGNED and ":" in match["separator"] and not match["closed"]:
            return None
        return Label(name, identifier_start(text, place), match["closed"], match["separator"], match.end())
    if text[end : end + 1] not in (" ", "\t", '"', "'", ">", ","):
        return None
    start = identifier_start(text, place)
    match = _other_separator(text, name, start, end)
    return Label(name, start, match["closed"], match["separator"], match.end()) if match else None


def _other_separator(text: str, name: str, start: int, end: int) -> re.Match[str] | None:
    """Match an option (`--password x`), an element (`<password>x<`), a pair (`('password', 'x')`) or `PASSWORD 'x'`."""
    before = text[max(0, start - 3) : start]
    if before.endswith("-") or text[start : start + 1] == "-":
        return _OPTION.match(text, end)
    if before.endswith("<") or _NAMESPACE.search(text, max(0, start - 32), start):
        return _ELEMENT.match(text, end)
    if before.endswith(("('", '("', "(b'", "['", '["', "[b'")):
        return _PAIR.match(text, end)
    return _QUOTED.match(text, end) if name in _BEFORE_QUOTED_VALUE else None


def _values(text: str, label: Label) -> Sequence[Value]:
    """The value behind `label`, or all values of a list, tuple or dict. For `auth=('ada', '…')` only the last one."""
    if label.name in _DICTS_OF_SECRETS and text[label.end : label.end + 1] == "{":
        return list(_entries(text, label.end))
    first = _value(text, label)
    if first is None:
        return ()
    values = [first]
    if label.separator.rstrip().endswith(("[", "(")):
        while len(values) < _MAX_ELEMENTS and (comma := _NEXT_ELEMENT.match(text, values[-1].end)):
            value = value_at(text, comma.end())
            if value is None:
                break
            values.append(value)
    return values[-1:] if label.name == "auth" else values


def _entries(text: str, place: int) -> Iterator[Value]:
    for _ in range(_MAX_ELEMENTS):
        entry = _DICT_ENTRY.match(text, place)
        value = value_at(text, entry.end()) if entry else None
        if value is None:
            return
        yield value
        place = value.end


def _value(text: str, label: Label) -> Value | None:
    quoted = text[label.end : label.end + 1] in ("'", '"')
    if label.name in HEADERS and (quoted or ":" in label.separator or "," in label.separator):
        return header_value(text, label.name, label.start, label.end)
    if label.separator == ">":
        return _inner_text(text, label.end)
    if label.separator == "=" and _is_env_line(text, label):
        return _rest_of_line(text, label.end)
    if label.name == "passphrase" and label.separator.strip() in (":", "="):
        return _passphrase(text, label.end) or value_at(text, label.end)
    return value_at(text, label.end)


def _passphrase(text: str, start: int) -> Value | None:
    """A passphrase of several bare words. It ends before the first word of `_PROSE_WORDS`."""
    match = _PASSPHRASE.match(text, start)
    words = match[0].split(" ") if match else []
    number = next((place for place, word in enumerate(words) if word.lower() in _PROSE_WORDS), len(words))
    if number < _MIN_WORDS:
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


def _is_no_secret(text: str, label: Label, value: Value) -> bool:
    """Whether the value is no secret: empty, already masked, code, prose or a file name."""
    word = text[value.start : value.stop]
    if not word.strip("* ") or word == MASK or (value.bare and word.lower() in _NOT_SECRET):
        return True
    if label.separator.rstrip().endswith("[") and _is_validation_message(word):
        return True  # the validation message of a form field
    if (value.bare and word in _BLOCKS) or (label.name == "credentials" and word in _MODES):
        return True
    if label.name == "token" and _PARSER_ERROR.search(text, max(0, label.start - 12), label.start):
        return True
    if (label.name == "pwd" and _PATH.fullmatch(word)) or (label.name == "key" and _FILE.fullmatch(word)):
        return True  # the shell's working directory; the path of a key file
    return value.bare and _is_code_or_prose(text, label, value, word)


def _is_validation_message(word: str) -> bool:
    words = word.lower().rstrip(".!").split(" ")
    return len(words) > 1 and not _PROSE_WORDS.isdisjoint(words)


def _is_code_or_prose(text: str, label: Label, value: Value, word: str) -> bool:
    if text[value.end : value.end + 1] in ("(", "[") and word.replace(".", "").replace("_", "").isalnum():
        return True  # a call or a subscript
    few_digits = word.isdigit() and len(word) < 6
    is_plain_word = word.isalpha() and word[1:].islower()
    if label.separator != "=" and (is_plain_word or few_digits) and _PROSE_FOLLOWS.match(text, value.end):
        return True  # "invalid token: expected a number"
    if few_digits and label.name == "pass":
        return True  # a count of passed tests
    line = text.rfind("\n", max(0, label.start - 1_000), label.start)
    before = text.rfind("\n", max(0, line - 1_000), line) if line > 0 else -1
    return line > 0 and _FRAME_LINE.match(text, before + 1) is not None  # a source line: it holds names, not values
