"""Compute the replacement of a match, if it is more than a placeholder: it keeps fixed words or a part of the match.

The rules in `patterns` refer to these functions. Each function takes the matched text and returns its replacement, in
time linear in that text.
"""

from __future__ import annotations

import re

from relay.parameterize import failure_words

_TICKET = re.compile(r"^[A-Z]{2,6}-\d{3,}$")
_PIECES = re.compile(r"([-.#_]+)")
_SERIAL = re.compile(r"^[A-Z0-9]{6,}$|^[0-9a-fA-F]{7,}$")
_NUMBERED = re.compile(r"^([A-Za-z]{1,20})\d+$")
_DIGIT_BOUNDARY = re.compile(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)")
_DIGITS = re.compile(r"\d+")


def word(found: str) -> str:
    """`events-27` gives `events-<number>`, `k9Mtd2gDcgG` gives `<id>`. Pieces without digits stay."""
    if not _DIGITS.search(found):
        return found
    return "<id>" if _TICKET.match(found) else "".join(map(_piece, _PIECES.split(found)))


def _piece(piece: str) -> str:
    if not _DIGITS.search(piece):
        return piece
    if piece.isdigit():
        return "<number>"
    if _SERIAL.match(piece):
        return "<id>"
    if match := _NUMBERED.match(piece):
        return match[1] + "<number>"
    if len(piece) >= 12 or len(_DIGIT_BOUNDARY.findall(piece)) > 1:
        return "<id>"
    return _DIGITS.sub("<number>", piece)


def after_noun(found: str) -> str:
    """`user ada` gives `user <name>`."""
    return found.partition(" ")[0] + " <name>"


def after_key(found: str) -> str:
    """`Key a ` gives `Key <value> `; `enum constant a.B.RED` gives `enum constant a.B.<value>`."""
    return "Key <value> " if found.startswith("Key") else found.rpartition(".")[0] + ".<value>"


def pod(found: str) -> str:
    """`web-7d4b9c6f88-x2x5m` gives `web-<id>`: keep the Kubernetes deployment of a pod."""
    return found.rsplit("-", 2)[0] + "-<id>"


def device(found: str) -> str:
    """`dev sda1` gives `dev <id>`, `sda1` gives `<id>`."""
    return found.partition(" ")[0] + " <id>" if " " in found else "<id>"


def after_equals(found: str) -> str:
    """`key=value` gives `key=<value>`."""
    return found.partition("=")[0] + "=<value>"


def after_method(found: str) -> str:
    """Keep the method of a request line, and in an access log a status of 5xx: then the server itself failed."""
    method, _, rest = found[1:].partition(" ")
    status = rest.rpartition('"')[2][-3:]
    return f"{method} <url>" + (f" {status}" if status.startswith("5") else " <number>" if status else "")


_EXCEPTION = re.compile(r"<[A-Z][\w:]{0,80}(?:Error|Exception): ")


def after_class(found: str) -> str:
    """Keep the class of an object's repr. For an exception (Ruby, Python), keep the words of its message too."""
    if match := _EXCEPTION.match(found):
        return match[0] + _DATA_WORD.sub("<value>", found[match.end() :])
    return re.split("[: ]", found, maxsplit=1)[0] + " <value>>"


def file_name(found: str) -> str:
    """`/srv/shop/Cart.pm` gives `Cart.pm`."""
    return found.rpartition("/")[2]


def after_colon(found: str) -> str:
    """`Host: mars` gives `Host: <host>`."""
    return found.partition(":")[0] + ": <host>"


def not_json(_: str) -> str:
    """Keep the text that V8 prints after the excerpt of JSON."""
    return "<text> is not valid JSON"


_STATEMENT = re.compile(
    r"[A-Za-z]{0,2}[\"'`\u2018\u201c] {0,4}(?:(UPDATE|INSERT INTO|DELETE FROM|SELECT) )"
    r"(?:(?<=SELECT )[^\n]{1,500}?FROM )?[\"'`\[]?([A-Za-z_][\w.]{0,60})"
)


def statement(found: str) -> str:
    """Keep the verb and the table of a quoted SQL statement, and the words of a quoted error message.

    Any other quotation gives `<text>`.
    """
    plain = statement_1(found)
    return _quoted_error(found) if plain == "<text>" and found.count(" ") >= _LEAST_BLANKS else plain


def statement_1(found: str) -> str:
    """Keep the verb and the table of a quoted SQL statement: `statement` as version 1 of the fingerprint has it."""
    match = _STATEMENT.match(found)
    return f"{match[1]} {match[2]} <text>" if match else "<text>"


_LEAST_BLANKS = 2
"""A quoted error message has at least three words: `'Not Found'` can be any value."""
_QUOTED_ERROR = re.compile(r"([A-Za-z]{0,2}[\"'`\u2018\u201c\u00ab\u201e])(.*)(.)", re.DOTALL)


_DATA_IN_QUOTES = re.compile(r"(?<![A-Za-z])['`][^'\n]{0,300}'(?![A-Za-z])|[^\s\"']*[\d@/=][^\s\"]*")


def _quoted_error(found: str) -> str:
    match = _QUOTED_ERROR.fullmatch(found)
    if match is None or failure_words.score(match[2]) < failure_words.STRONG:
        return "<text>"
    return _DATA_IN_QUOTES.sub("<value>", match[2].strip())


_DATA_WORD = re.compile(r"\\\".{0,300}?\\\"|'[^'\n]{0,300}'|[^\s\"]*[\d@/=][^\s\"]*")


def error_text(found: str) -> str:
    """Keep the words of a quoted error text. Words with digits, quotes, `@`, `/` or `=` are data."""
    name, quote, words = found.partition('"')
    return name + quote + _DATA_WORD.sub("<value>", words)


def last_in_parentheses(found: str) -> str:
    """`(carrier DHL)` gives `(carrier <value>)`."""
    return found.rpartition(" ")[0] + " <value>" + found[-1]
