"""Find secrets in SQL: literals, rows of an INSERT, and the parameters that a library prints behind a statement.

SQLAlchemy writes `[SQL: UPDATE users SET password=? WHERE users.id = ?]` followed by `[parameters: ('…', 7)]`. A
parameter is a secret if its column is: the column before its placeholder, or the column in the list of an INSERT.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterator

from relay.redact.names import Names, is_secret_name
from relay.redact.secret import Secret

_LITERAL = r"(?:[NE]?'(?P<single>(?:[^'\\\n]|''|\\.){1,4000})'|\"(?P<double>[^\"\n]{1,4000})\")"
_FUNCTION = r"(?:(?:MD5|SHA[0-9]{0,3}|CRYPT|ENCRYPT|HEX|OLD_PASSWORD|PASSWORD|LOWER|TRIM|CONCAT)[ ]?\([ ]?){0,3}"
_SQL = re.compile(
    rf"\b(?:IDENTIFIED[ ]{{1,3}}(?:BY|WITH[ ]{{1,3}}[\w'\"]{{1,60}}[ ]{{1,3}}(?:BY|AS))[ ]{{1,3}}"
    rf"(?:PASSWORD[ ]{{1,3}})?"
    rf"|PASSWORD(?:[ ]?=[ ]?{_FUNCTION}|[ ]{{1,3}}|[ ]?\()"
    rf"|PASSWORD[ ]{{1,3}}FOR[ ][^\n=]{{1,200}}=[ ]?(?:PASSWORD\()?){_LITERAL}",
    re.IGNORECASE,
)
_INSERT = re.compile(
    r"\b(?:INSERT|REPLACE)\b[^()\n]{1,200}\((?P<columns>[^()]{1,2000})\)\s{0,40}VALUES\s{0,40}", re.IGNORECASE
)
_ROW = re.compile(r"\s{0,40},?\s{0,40}\(")
# `(?!)` as the last alternative of a possessive repeat: Python before 3.11.5 does not restore the position where the
# repeat failed, and would accept a wrong cell.
_CELL = re.compile(
    r"\s{0,40}(?P<cell>(?:[NEbB]?'(?:[^'\\]|''|\\.|(?!)){0,4000}+'|[^,()'\"]{1,400}+|\"[^\"]{0,400}+\"|\([^()]{0,400}+\)|(?!)){1,4}+)"
    r"(?P<sign>[,)])"
)
_MAX_ROWS = 1_000

_STATEMENT = "[SQL: "
_MAX_STATEMENT = 20_000
_MAX_STATEMENTS = 50
"""In one text. After the last one the text is masked from the next parameters on: this bounds the time."""
_PARAMETERS = re.compile(r"\[parameters: (?P<rows>\[?)(?=\()")
_NEXT_ROW = re.compile(r"[^()\n]{0,200}\(")
_PARAMETER = re.compile(
    r"\s?(?P<cell>b?'(?:[^'\\\n]|\\.|(?!)){0,4000}+'|b?\"(?:[^\"\\\n]|\\.|(?!)){0,4000}+\""
    r"|[\w.]{1,60}+\((?:[^()'\"\n]|'[^'\n]{0,400}+'|\([^()\n]{0,200}+\)|(?!)){0,400}+\)"
    r"|\[[^\[\]\n]{0,4000}+\]|\{[^{}\n]{0,4000}+\}|[^,()'\"\n]{1,400}+)\s?(?P<sign>[,)])"
)
_PLACEHOLDER = re.compile(
    r"(?:(?<![\w$])(?P<column>[\w$]{1,100}+)[\"`\]]?[ ]?\)?\s{0,9}+(?:=|<>|!=|(?:NOT[ ]|(?<=[\s]))(?:I?LIKE|IN)\b)"
    r"\s{0,9}+(?:\w{0,30}+\(\s{0,9}+){0,3}+|(?P<goes_on>,[ ]?))?"
    r"(?:\?|%s|\$\d{1,5}+|(?<![\w:]):\d{1,5}+)(?![\w?])",
    re.IGNORECASE,
)

SQL_PREFILTER = ("identified", "password", "values", "[parameters: ")
"""Every text in which `in_sql` finds something contains one of these, in lower case."""


def in_sql(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """Find literals behind SQL keywords that take a password, and values for columns with a secret name."""
    if "identified" in lower or "password" in lower:
        for match in _SQL.finditer(text):
            kind = match.lastgroup or "single"
            yield Secret(*match.span(kind), match[kind])
    if "values" in lower:
        for match in _INSERT.finditer(text):
            if columns := _secret_columns(match, names):
                yield from _in_rows(text, match.end(), columns)
    if "[parameters: " in text:
        yield from _in_parameters(text, names)


def _secret_columns(insert: re.Match[str], names: Names) -> set[int]:
    columns = [column.strip(' \t\n`"[]').rpartition(".")[2] for column in insert["columns"].split(",")]
    return {number for number, column in enumerate(columns) if is_secret_name(column, names)}


def _in_rows(text: str, place: int, columns: set[int]) -> Iterator[Secret]:
    for number, cell in _cells(text, place):
        if number in columns and (secret := _value_in(cell)):
            yield secret


def _cells(text: str, place: int) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the column number, from 0, and the match of each cell, for all rows from `place` on."""
    for _ in range(_MAX_ROWS):
        row = _ROW.match(text, place)
        if row is None:
            return
        place, number = row.end(), 0
        while cell := _CELL.match(text, place):
            yield number, cell
            place, number = cell.end(), number + 1
            if cell["sign"] == ")":
                break


def _value_in(cell: re.Match[str]) -> Secret | None:
    word = cell["cell"]
    begin, stop = cell.span("cell")
    if word[-1] in "'\"":
        begin += min(word.find(quote) for quote in "'\"" if quote in word) + 1
        stop -= 1
    no_value = word.strip().lower() in ("null", "none", "default", "?", "%s") or word.startswith((":", "$", "%("))
    return Secret(begin, stop, cell.string[begin:stop]) if stop > begin and not no_value else None


def _in_parameters(text: str, names: Names) -> Iterator[Secret]:
    for number, start in enumerate(_PARAMETERS.finditer(text)):
        if number == _MAX_STATEMENTS:
            yield Secret(start.end(), len(text))
            return
        begin = text.rfind(_STATEMENT, max(0, start.start() - _MAX_STATEMENT), start.start())
        secret = _secret_placeholders(text[begin : start.start()], names) if begin >= 0 else ()
        if secret:
            yield from _in_parameter_rows(text, start, secret)


def _secret_placeholders(statement: str, names: Names) -> set[int]:
    """The numbers, from 0, of the placeholders of `statement` that stand for secrets."""
    inserted = [
        cell.span("cell")
        for insert in _INSERT.finditer(statement)
        if (columns := _secret_columns(insert, names))
        for number, cell in _cells(statement, insert.end())
        if number in columns
    ]
    compared: set[int] = set()
    secret: set[int] = set()
    for number, match in enumerate(_PLACEHOLDER.finditer(statement)):
        column = match["column"]
        if is_secret_name(column, names) if column else match["goes_on"] and number - 1 in compared:
            compared.add(number)
        place = bisect_right(inserted, (match.end(), 0)) - 1
        if place >= 0 and match.end() <= inserted[place][1]:
            secret.add(number)
    return secret | compared


def _in_parameter_rows(text: str, start: re.Match[str], secret: Container[int]) -> Iterator[Secret]:
    """Find the secret parameters in one tuple, or in each tuple of a list (`executemany`)."""
    place = start.end()
    for _ in range(_MAX_ROWS):
        row = _NEXT_ROW.match(text, place)
        if row is None:
            return
        place, number = row.end(), 0
        while cell := _PARAMETER.match(text, place):
            if number in secret and (found := _value_in(cell)):
                yield found
            place, number = cell.end(), number + 1
            if cell["sign"] == ")":
                break
        else:
            line_end = text.find("\n", place)
            # This parameter cannot be read, so the columns of those behind it are unknown.
            yield Secret(place, line_end if line_end >= 0 else len(text))
            return
        if not start["rows"]:
            return
