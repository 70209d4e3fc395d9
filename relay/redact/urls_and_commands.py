"""Find secrets by their position: in URLs and DSNs, on command lines, in HTML tags and multipart forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.names import Names, is_secret_name
from relay.redact.secret import Secret

# --- URLs (RFC 3986, 3.2.1) and DSNs ----------------------------------------------------------------------------------

_USER_INFO = re.compile(r"(?<=://)(?P<user>[^\s/@:\"'<>]{0,200})(?::(?P<password>[^\s/\"'<>]{0,300}))?@(?=[\w\[%-])")
_OF_DATABASE = re.compile(
    r"(?<![A-Za-z])(?:postgres(?:ql)?|mysql|mariadb|rediss?|amqps?|mongodb|mssql|oracle|sqlserver|clickhouse|cockroachdb|nats"
    r"|redshift|snowflake|cassandra|couchdb|neo4j|bolt|trino|presto|hive|vertica|db2|firebird|elasticsearch|influxdb"
    r"|memcached|kafka|mqtts?|ldaps?|ftps?|sftp|ssh|smtps?|imaps?)(?:\+[\w.-]{1,30})?://"
    r"(?P<all>[^\s/@:\"'<>]{0,200}:(?!\d{1,5}(?:[/?\s]|\Z))(?P<password>[^\s\"'<>]{1,300}))@(?=[\w\[%(-])"
)
"""DSNs of databases. Their passwords are often not encoded: they may contain a slash, and end at the last @."""
_OTHER_DSN = re.compile(
    r"(?:jdbc:oracle:thin:[^\s/@]{1,60}/(?P<oracle>[^\s@]{1,200})@"
    r"|(?<![\w:])[\w.-]{1,60}:(?P<go>[^\s@\"']{1,200})@(?:tcp|unix)\()"
)
_QUERY = re.compile(
    r"(?<=[?&])(?:code|key|sig|state|sid|auth|otp|jwt|hmac|SAMLResponse)=(?P<value>[^&#\s\"'<>]{8,4000})"
)
"""Short names whose value is a secret in a URL only (RFC 6749, 4.1.2; signed links)."""


def in_urls(text: str) -> Iterator[Secret]:
    """Find user names and passwords before the host, and secret parameters of the query."""
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


URL_PREFILTER = ("://", "@tcp\\(", "@unix\\(", "jdbc:oracle", r"[?&][a-z]{2,12}=")
"""Every text in which `in_urls` finds something matches one of these patterns, in lower case."""


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
        ("curl", "curl", rf"(?:-b|--cookie){_LINK}[^\s=\"']{{0,100}}={_WORD}"),
        ("sshpass", "sshpass", rf"-p{_LINK}{_WORD}"),
        ("login", "login", rf"-p{_LINK}{_WORD}"),
        ("redis-cli", "redis-cli", rf"-a{_LINK}{_WORD}"),
        ("mongo", r"mongo\w{0,8}", rf"-p[ =\"',]{{1,4}}{_WORD}"),
        ("sqlcmd", "sqlcmd", rf"-P[ =\"',]{{1,4}}{_WORD}"),
        ("ldap", r"ldap\w{1,10}", rf"-w{_LINK}{_WORD}"),
    )
)
"""Programs with a short option that takes a password, by a word that few texts contain."""


COMMAND_PREFILTER = tuple(word for word, _ in _COMMANDS)
"""Every text in which `on_command_lines` finds something contains one of these."""


def on_command_lines(text: str) -> Iterator[Secret]:
    """Find passwords given by a short option, in a shell command or a list of arguments."""
    for word, pattern in _COMMANDS:
        if word in text:
            for match in pattern.finditer(text):
                kind = match.lastgroup or "bare"
                yield Secret(*match.span(kind), match[kind])


# --- Tags -------------------------------------------------------------------------------------------------------------

_TAG = re.compile(r"<[A-Za-z][^<>]{1,1000}>")
_TAG_NAME = re.compile(r"\b(?:name|key|id)[ ]?=[ ]?[\"']?(?P<name>[\w.\[\]-]{1,100})")
_TAG_VALUE = re.compile(r"\bvalue[ ]?=[ ]?(?:\"(?P<double>[^\"]{1,1000})\"|'(?P<single>[^']{1,1000})')")


_ELEMENT = re.compile(
    r"<(?:string|property|entry|param|setting|field)[ ](?:name|key|id)=[\"'](?P<name>[\w.-]{1,100}+)[\"']"
    r"[^<>\n]{0,200}>(?P<value>[^<>\n]{1,1000}+)</"
)
_LINE_END = r"(?:\n|\\{1,3}r\\{1,3}n|\\{1,3}n)"
_FIELD = re.compile(
    rf"form-data; name=\\{{0,3}}\"(?P<name>[^\"\\\n]{{1,100}}+)\\{{0,3}}\"{_LINE_END}"
    rf"(?:Content-[^\n\\]{{1,200}}+{_LINE_END}){{0,3}}{_LINE_END}(?P<value>[^\n\\]{{1,4000}}+)"
)
"""A field of `multipart/form-data` (RFC 7578), with real line ends or escaped ones."""


TAG_PREFILTER = ("value=", "name=", "key=", "id=")
"""Every text in which `in_tags` finds something contains one of these, in lower case."""


def in_tags(text: str, lower: str, names: Names) -> Iterator[Secret]:
    """Find values of tags (`<input value="…" name="password">`), of named elements and of multipart form fields."""
    if "form-data; name=" in text:
        yield from _named(_FIELD, text, names)
    if "<" in text and "</" in text:
        yield from _named(_ELEMENT, text, names)
    if "value=" not in lower or "<" not in text:
        return
    for tag in _TAG.finditer(text):
        name, value = _TAG_NAME.search(tag[0]), _TAG_VALUE.search(tag[0])
        if name and value and is_secret_name(name["name"].strip("[]"), names):
            kind = value.lastgroup or "double"
            start, end = value.span(kind)
            yield Secret(tag.start() + start, tag.start() + end, value[kind])


def _named(pattern: re.Pattern[str], text: str, names: Names) -> Iterator[Secret]:
    for match in pattern.finditer(text):
        if is_secret_name(match["name"].strip("[]"), names) and match["value"].strip():
            yield Secret(*match.span("value"), match["value"].strip())
