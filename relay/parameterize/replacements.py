"""What stands for data in a message, where it is more than a placeholder: the words beside it, or a part of it.

For the table of `patterns`, whose rules name these functions. Each takes the text that a rule has
found and gives what replaces it, in time linear in that text.
"""

from __future__ import annotations

import re

_TICKET = re.compile(r"^[A-Z]{2,6}-\d{3,}$")
_PIECES = re.compile(r"([-.#_]+)")
_SERIAL = re.compile(r"^[A-Z0-9]{6,}$|^[0-9a-fA-F]{7,}$")
_NUMBERED = re.compile(r"^([A-Za-z]{1,20})\d+$")
_CHANGES = re.compile(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)")
_DIGITS = re.compile(r"\d+")


def word(found: str) -> str:
    """`events-27` gives `events-<number>`, `k9Mtd2gDcgG` gives `<id>`: piece by piece, the constant ones stay."""
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
    if len(piece) >= 12 or len(_CHANGES.findall(piece)) > 1:
        return "<id>"
    return _DIGITS.sub("<number>", piece)


def after_noun(found: str) -> str:
    """`user ada` gives `user <name>`."""
    return found.partition(" ")[0] + " <name>"


def after_key(found: str) -> str:
    """The first words, and of a constant its class."""
    return "Key <value> " if found.startswith("Key") else found.rpartition(".")[0] + ".<value>"


def before_dashes(found: str) -> str:
    """Of a pod the deployment."""
    return found.rsplit("-", 2)[0] + "-<id>"


def device(found: str) -> str:
    """`dev sda1` gives `dev <id>`, and without the noun `<id>`."""
    return found.partition(" ")[0] + " <id>" if " " in found else "<id>"


def after_equals(found: str) -> str:
    """`key=value` gives `key=<value>`."""
    return found.partition("=")[0] + "=<value>"


def after_method(found: str) -> str:
    """The method, and behind a request as access logs have it, its status where the server itself failed."""
    method, _, rest = found[1:].partition(" ")
    status = rest.rpartition('"')[2][-3:]
    return f"{method} <url>" + (f" {status}" if status.startswith("5") else " <number>" if status else "")


_EXCEPTION = re.compile(r"<[A-Z][\w:]{0,80}(?:Error|Exception): ")


def after_class(found: str) -> str:
    """The class; of an exception, as Ruby and Python show it, the words too."""
    if match := _EXCEPTION.match(found):
        return match[0] + _DATA_TOLD.sub("<value>", found[match.end() :])
    return re.split("[: ]", found, maxsplit=1)[0] + " <value>>"


def last_part(found: str) -> str:
    """Of a path the file."""
    return found.rpartition("/")[2]


def after_colon(found: str) -> str:
    """`Host: mars` gives `Host: <host>`."""
    return found.partition(":")[0] + ": <host>"


def not_json(_: str) -> str:
    """What V8 says behind the excerpt."""
    return "<text> is not valid JSON"


_STATEMENT = re.compile(
    r"[A-Za-z]{0,2}[\"'`\u2018\u201c] {0,4}(?:(UPDATE|INSERT INTO|DELETE FROM|SELECT) )"
    r"(?:(?<=SELECT )[^\n]{1,500}?FROM )?[\"'`\[]?([A-Za-z_][\w.]{0,60})"
)


def statement(found: str) -> str:
    """Of a quoted statement of SQL what it does, and to which table; of any other quotation nothing."""
    match = _STATEMENT.match(found)
    return f"{match[1]} {match[2]} <text>" if match else "<text>"


_DATA_TOLD = re.compile(r"\\\".{0,300}?\\\"|'[^'\n]{0,300}'|[^\s\"]*[\d@/=][^\s\"]*")


def words_told(found: str) -> str:
    """The words of what was told; those with digits and the like are data."""
    name, quote, words = found.partition('"')
    return name + quote + _DATA_TOLD.sub("<value>", words)


def last_in_parentheses(found: str) -> str:
    """`(carrier DHL)` gives `(carrier <value>)`."""
    return found.rpartition(" ")[0] + " <value>" + found[-1]
