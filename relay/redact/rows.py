"""Find secrets in rows that a database quotes in an error (PostgreSQL's DETAIL, MySQL's error 1062).

`Key (api_token)=(…) already exists.` and `Duplicate entry '…' for key 'users.api_token'` name the column: its name
decides. `Failing row contains (…)` names no column, and any value may be a password hash or a token: the whole row is
masked. That costs nothing: the sentence before names constraint and table, and a row does not help grouping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.names import Names, is_secret_name
from relay.redact.secret import Secret

_ROW = "Failing row contains ("
_MAX_ROW = 8_000
_ROW_END = re.compile(r"\)\.?(?=\s*(?:\n|\Z)|\\n|\.?[\"'])|\)\.(?=\s)")
_KEY = re.compile(r"\bKey \((?P<columns>[^\n=]{1,200}?)\)=\(")
_KEY_END = re.compile(r"\)(?= (?:already exists|is not present|is still referenced|conflicts)|\.)")
_ENTRY = re.compile(r"Duplicate entry '(?=[^\n]{0,1000}?' for key )")
_ENTRY_KEY = re.compile(r"' for key ['`](?:[^'`\n]{1,100}\.)?(?P<key>[^'`.\n]{1,100})['`]")
_INDEX = re.compile(r"(?:_(?:unique|uniq|uq|uk|index|idx|key|constraint)){1,3}\Z", re.IGNORECASE)
_MAX_VALUES = 1_000


PREFILTER = ("failing row contains (", ")=(", "duplicate entry '")
"""Every text in which `in_rows` finds something contains one of these, in lower case."""


def in_rows(text: str, names: Names) -> Iterator[Secret]:
    """Find the values of quoted rows that are secrets, or may be."""
    if _ROW in text:
        yield from _whole_rows(text)
    if ")=(" in text:
        yield from _keys(text, names)
    if "Duplicate entry '" in text:
        yield from _entries(text, names)


def _whole_rows(text: str) -> Iterator[Secret]:
    place = text.find(_ROW)
    while place >= 0:
        start = place + len(_ROW)
        limit = min(len(text), start + _MAX_ROW)
        end = _ROW_END.search(text, start, limit)
        stop = end.start() if end else limit
        if stop > start:
            yield Secret(start, stop)
        place = text.find(_ROW, stop)


def _keys(text: str, names: Names) -> Iterator[Secret]:
    for match in _KEY.finditer(text):
        columns = [_column(word) for word in match["columns"].split(", ")]
        secret = [is_secret_name(column, names) for column in columns]
        end = _KEY_END.search(text, match.end(), match.end() + _MAX_VALUES) if any(secret) else None
        if end is None:
            continue
        values = text[match.end() : end.start()].split(", ")
        if len(values) != len(columns):
            yield Secret(match.end(), end.start())
            continue
        place = match.end()
        for value, hidden in zip(values, secret, strict=True):
            if hidden and value:
                yield Secret(place, place + len(value), value)
            place += len(value) + 2


def _column(word: str) -> str:
    """The column name inside an expression such as `lower(name::text)`."""
    return word.rpartition("(")[2].partition(")")[0].partition("::")[0].strip('" ')


def _entries(text: str, names: Names) -> Iterator[Secret]:
    for match in _ENTRY.finditer(text):
        key = _ENTRY_KEY.search(text, match.end(), match.end() + _MAX_VALUES + 250)
        if key and (is_secret_name(key["key"], names) or is_secret_name(_INDEX.sub("", key["key"]), names)):
            value = text[match.end() : key.start()]
            if value:
                yield Secret(match.end(), key.start(), value)
