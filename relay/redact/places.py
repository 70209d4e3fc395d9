"""Secrets known by where they stand: in URLs and DSNs, on command lines, in SQL, in tags whose name comes last."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.names import Names, is_secret
from relay.redact.secret import Secret

# --- URLs (RFC 3986, 3.2.1) and DSNs ----------------------------------------------------------------------------------

_USER_INFO = re.compile(r"(?<=://)(?P<user>[^\s/@:\"'<>]{0,200})(?::(?P<password>[^\s/\"'<>]{0,300}))?@(?=[\w\[%-])")
_OF_DATABASE = re.compile(
    r"(?<![A-Za-z])(?:postgres(?:ql)?|mysql|mariadb|rediss?|amqps?|mongodb|mssql|oracle|clickhouse|cockroachdb|nats"
    r"|ldaps?|ftps?|sftp|smtps?)(?:\+[\w.-]{1,30})?://"
    r"(?P<all>[^\s/@:\"'<>]{0,200}:(?!\d{1,5}(?:[/?\s]|\Z))(?P<password>[^\s\"'<>]{1,300}))@(?=[\w\[%(-])"
)
"""Where a password is often not encoded: it may hold a slash, and goes on to the last @."""
_OTHER_DSN = re.compile(
    r"(?:jdbc:oracle:thin:[^\s/@]{1,60}/(?P<oracle>[^\s@]{1,200})@"
    r"|(?<![\w:])[\w.-]{1,60}:(?P<go>[^\s@\"']{1,200})@(?:tcp|unix)\()"
)
_QUERY = re.compile(
    r"(?<=[?&])(?:code|key|sig|state|sid|auth|otp|jwt|hmac|SAMLResponse)=(?P<value>[^&#\s\"'<>]{8,4000})"
)
"""Short names that carry secrets in a URL (RFC 6749, 4.1.2; signed links) and are harmless elsewhere."""


def in_urls(text: str) -> Iterator[Secret]:
    """User names and passwords before the host, and what signs or unlocks a link."""
    if "://" in text:
        for match in _USER_INFO.finditer(text):
            yield Secret(match.start(), match.end() - 1, match["password"] or match["user"])
        for match in _OF_DATABASE.finditer(text):
            yield Secret(*match.span("all"), match["password"])
    if "@" in text and ("jdbc:oracle" in text or "@tcp(" in text or "@unix(" in text):
        for match in _OTHER_DSN.finditer(text):
            kind = match.lastgroup or ""
            yield Secret(*match.span(kind), match[kind])
    if "=" in text and ("?" in text or "&" in text):
        for match in _QUERY.finditer(text):
            yield Secret(*match.span("value"), match["value"])


URL_MARKS = ("://", "@tcp\\(", "@unix\\(", "jdbc:oracle", r"[?&][a-z]{2,12}=")
"""One of these patterns fits every text, in lower case, that `in_urls` finds something in."""


# --- Command lines ----------------------------------------------------------------------------------------------------

_GAP = r"(?=[ \"',])[^\n|;&]{0,200}?[ \"',]"
_LINK = r"[ =\"',]{0,4}"
_WORD = r"(?P<bare>(?!\[masked\])[^\s\"',)\]]{1,200})"
_QUOTED = r"(?:\"(?P<double>[^\"\n]{1,200})|'(?P<single>[^'\n]{1,200}))"
_COMMANDS = tuple(
    (word, re.compile(rf"\b{program}{_GAP}{option}"))
    for word, program, option in (
        ("mysql", r"mysql\w{0,12}", rf"-p(?:{_WORD}|{_QUOTED})"),
        ("mariadb", r"mariadb[\w-]{0,12}", rf"-p(?:{_WORD}|{_QUOTED})"),
        ("curl", "curl", rf"(?:-u|--user|--proxy-user){_LINK}[^\s:\"']{{0,100}}:{_WORD}"),
        ("sshpass", "sshpass", rf"-p{_LINK}{_WORD}"),
        ("login", "login", rf"-p{_LINK}{_WORD}"),
        ("redis-cli", "redis-cli", rf"-a{_LINK}{_WORD}"),
        ("ldap", r"ldap\w{1,10}", rf"-w{_LINK}{_WORD}"),
    )
)
"""Programs whose short options take a password, by a word that few texts hold."""


COMMAND_MARKS = tuple(word for word, _ in _COMMANDS)
"""One of these is in every text that `on_command_lines` finds something in."""


def on_command_lines(text: str) -> Iterator[Secret]:
    """Passwords given by a short option, in a line for the shell or a list of arguments."""
    for word, pattern in _COMMANDS:
        if word in text:
            for match in pattern.finditer(text):
                kind = match.lastgroup or "bare"
                yield Secret(*match.span(kind), match[kind])


# --- SQL --------------------------------------------------------------------------------------------------------------

_LITERAL = r"(?:'(?P<single>(?:[^'\\\n]|''|\\.){1,4000})'|\"(?P<double>[^\"\n]{1,4000})\")"
_SQL = re.compile(
    rf"\b(?:IDENTIFIED[ ]{{1,3}}(?:BY|WITH[ ]{{1,3}}[\w'\"]{{1,60}}[ ]{{1,3}}(?:BY|AS))[ ]{{1,3}}"
    rf"(?:PASSWORD[ ]{{1,3}})?"
    rf"|PASSWORD(?:[ ]?=[ ]?PASSWORD)?(?:[ ]{{1,3}}|[ ]?=[ ]?|[ ]?\()"
    rf"|PASSWORD[ ]{{1,3}}FOR[ ][^\n=]{{1,200}}=[ ]?(?:PASSWORD\()?){_LITERAL}",
    re.IGNORECASE,
)
_INSERT = re.compile(
    r"\b(?:INSERT|REPLACE)\b[^()\n]{1,200}\((?P<columns>[^()]{1,2000})\)\s{0,40}VALUES\s{0,40}", re.IGNORECASE
)
_ROW = re.compile(r"\s{0,40},?\s{0,40}\(")
_CELL = re.compile(
    r"\s{0,40}(?P<cell>(?:[NEbB]?'(?:[^'\\]|''|\\.){0,4000}+'|[^,()'\"]{1,400}+|\"[^\"]{0,400}+\"|\([^()]{0,400}+\)){1,4}+)"
    r"(?P<sign>[,)])"
)
_PARAMETERS = re.compile(r"\[parameters: \[?(?=\()")
_PARAMETER = re.compile(
    r"\s?(?P<cell>b?'(?:[^'\\\n]|\\.){0,4000}'|b?\"(?:[^\"\\\n]|\\.){0,4000}\"|[^,()'\"\n]{1,400})\s?(?P<sign>[,)])"
)
_MOST_ROWS = 1_000


SQL_MARKS = ("identified", "password", "values")
"""One of these is in every text, in lower case, that `in_sql` finds something in."""


def in_sql(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """Literals behind the words of SQL that take a password, and in columns that are named like one."""
    if "identified" in lower or "password" in lower:
        for match in _SQL.finditer(text):
            kind = match.lastgroup or "single"
            yield Secret(*match.span(kind), match[kind])
    if "values" in lower:
        for match in _INSERT.finditer(text):
            columns = [column.strip(' \t\n`"[]').rpartition(".")[2] for column in match["columns"].split(",")]
            secret = {number for number, column in enumerate(columns) if is_secret(column, names)}
            if secret:
                yield from _in_rows(text, match.end(), secret)
                yield from _in_parameters(text, match.end(), secret)


def _in_rows(text: str, place: int, columns: set[int]) -> Iterator[Secret]:
    for _ in range(_MOST_ROWS):
        row = _ROW.match(text, place)
        if row is None:
            return
        place = row.end()
        yield from _in_cells(text, place, columns, _CELL)
        while cell := _CELL.match(text, place):
            place = cell.end()
            if cell["sign"] == ")":
                break


def _in_parameters(text: str, place: int, columns: set[int]) -> Iterator[Secret]:
    """SQLAlchemy tells the values behind the statement."""
    line_end = text.find("\n", place, place + 4_000)
    start = _PARAMETERS.match(text, line_end + 1) if line_end >= 0 else None
    if start:
        yield from _in_cells(text, start.end() + 1, columns, _PARAMETER)


def _in_cells(text: str, place: int, columns: set[int], pattern: re.Pattern[str]) -> Iterator[Secret]:
    for number in range(max(columns) + 1):
        cell = pattern.match(text, place)
        if cell is None:
            return
        word = cell["cell"]
        begin = cell.start("cell") + (
            min(word.find(quote) for quote in "'\"" if quote in word) + 1 if word[-1] in "'\"" else 0
        )
        stop = cell.end("cell") - (1 if word[-1] in "'\"" else 0)
        known = word.strip().lower() in ("null", "default", "?", "%s") or word.startswith((":", "$", "%("))
        if number in columns and stop > begin and not known:
            yield Secret(begin, stop, text[begin:stop])
        place = cell.end()
        if cell["sign"] == ")":
            return


# --- Tags -------------------------------------------------------------------------------------------------------------

_TAG = re.compile(r"<[A-Za-z][^<>]{1,1000}>")
_TAG_NAME = re.compile(r"\b(?:name|key|id)[ ]?=[ ]?[\"']?(?P<name>[\w.\[\]-]{1,100})")
_TAG_VALUE = re.compile(r"\bvalue[ ]?=[ ]?(?:\"(?P<double>[^\"]{1,1000})\"|'(?P<single>[^']{1,1000})')")


TAG_MARKS = ("value=",)
"""One of these is in every text, in lower case, that `in_tags` finds something in."""


def in_tags(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """The value of a tag that names it afterwards: `<input value="…" name="password">`."""
    if "value=" not in lower or "<" not in text:
        return
    for tag in _TAG.finditer(text):
        name, value = _TAG_NAME.search(tag[0]), _TAG_VALUE.search(tag[0])
        if name and value and is_secret(name["name"].strip("[]"), names):
            kind = value.lastgroup or "double"
            start, end = value.span(kind)
            yield Secret(tag.start() + start, tag.start() + end, value[kind])
