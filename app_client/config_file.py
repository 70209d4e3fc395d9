"""Load an app's configuration from the `FLASK` block of a YAML, TOML or JSON file.

    FLASK:
        DEBUG: True
        DEBUG_WITH_APTANA: True

This is the format of Flask's guide "Debugging Application Errors". TOML and JSON are supported in full. The standard
library has no YAML parser, so only the subset that the guide uses is supported: one `KEY: value` per line. Guarantees:
an accepted YAML value means the same to every YAML reader; anything else is refused with its line number. No error text
contains a value, because it may be a password.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

BLOCK = "FLASK"
_MAX_BYTES = 1024 * 1024
_ONE_LINE = re.compile(r"""[\w/.~+-][^\[{"']*|\[[^\[\]{}"']*\]|\{[^\[\]{}"']*\}|"[^"\\]*"|'[^']*'|[|>][-+\d]*""")
_SWITCHES = ("DEBUG", "TESTING", "DEBUG_WITH_APTANA", "DEBUG_WITH_EXTERNAL")

_LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_]\w*) *:(?: +(?P<value>.*))?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None, "~": None}
_INT = re.compile(r"[-+]?(?:0|[1-9]\d{0,99})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:0|[1-9]\d{0,99})\.\d{1,99}", re.ASCII)
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?", re.ASCII)
_UNCLEAR = re.compile(r"(?:yes|no|on|off|y|n)|[-+]?\.?\d.*|[-+]?\.(?:inf|nan)", re.ASCII | re.IGNORECASE)
_TEXT = re.compile(r"[^\W\d]|[/(]|~[/\w]|\.{1,2}/")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?: *| +#.*)""")
_SURROGATE = re.compile(r"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")
_ITEM = re.compile(
    r""" *("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{},"':?#](?:[^\[\]{},"':?#]*[^\s\[\]{},"':?#])?) *"""
)


class ConfigProblem(ValueError):
    """The configuration file is invalid. The text is one line: the file, the place and the problem, never a value."""


def load_config(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the `FLASK` block of the file, for `app.config.from_mapping`. The suffix selects YAML, TOML or JSON.

    Raises ConfigProblem if the file cannot be read, cannot be parsed, has no such block or is larger than 1 MiB; for a
    key that is not upper-case, which Flask would ignore; and for a switch (DEBUG, …) that is not a boolean.
    """
    file = Path(path)
    read = _READERS.get(file.suffix.lower())
    if read is None:
        raise ConfigProblem(f"{file}: the name must end in one of {', '.join(_READERS)}")
    try:
        return _checked(read(_text(file)))
    except ConfigProblem as problem:
        raise ConfigProblem(f"{file}{problem}") from None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigProblem(": not UTF-8") from None
    except OSError as error:
        raise ConfigProblem(f": cannot be read from {Path.cwd()}: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise ConfigProblem(": over 1 MiB, too large for a configuration")
    return text.replace("\r\n", "\n")


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    block = config.get(BLOCK)
    if not isinstance(block, dict):
        raise ConfigProblem(f': no block "{BLOCK}" with the keys of app.config in it')
    for key, value in block.items():
        if not key.isupper():
            raise ConfigProblem(f": {BLOCK}: {key!r}: Flask reads only upper-case keys; write {key.upper()}")
        if key in _SWITCHES and not isinstance(value, bool):
            raise ConfigProblem(f": {BLOCK}: {key}: must be true or false, without quotes")
    return block


def _read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigProblem(f": invalid TOML: {problem}") from None


def _read_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigProblem(f": invalid JSON: {problem}") from None
    return found if isinstance(found, dict) else {}


def _read_yaml(text: str) -> dict[str, Any]:
    """Return the `FLASK` block. Other blocks are skipped without parsing: they belong to other programs."""
    config: dict[str, dict[str, Any]] = {}
    block: dict[str, Any] | None = None
    indents: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if number == 1 and line.rstrip() == "---":
                continue
            if not line.strip(" ") or line.lstrip(" ").startswith("#"):
                continue
            if not line.startswith(" "):
                block = _open_block(line, config)
            elif block is not None:
                _read_pair(line, block, indents)
        except ConfigProblem as problem:
            raise ConfigProblem(
                f", line {number}: {problem}. YAML is limited to flat `KEY: value` lines; for more write TOML or JSON"
            ) from None
    return config


def _open_block(line: str, config: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the new `FLASK` block to fill, or None for a block of another program."""
    found = _LINE.fullmatch(line)
    if found is None or not line.isprintable():
        raise ConfigProblem("neither the name of a block nor an indented line of a block")
    value = _without_comment(found["value"] or "")
    if found["key"] != BLOCK:
        if value and not _ONE_LINE.fullmatch(value):
            raise ConfigProblem("a value that may continue on the next lines")
        return None
    if value:
        raise ConfigProblem(f"{BLOCK} is followed by a value, not by indented lines")
    if BLOCK in config:
        raise ConfigProblem(f"{BLOCK} occurs twice")
    return config.setdefault(BLOCK, {})


def _read_pair(line: str, block: dict[str, Any], indents: set[str]) -> None:
    found = _LINE.fullmatch(line.rstrip(" "))
    if found is None or not line.isprintable():
        raise ConfigProblem("not of the form `KEY: value`")
    indents.add(found["indent"])
    if len(indents) > 1:
        raise ConfigProblem("the indentation differs from that of the first key")
    if _UNCLEAR.fullmatch(found["key"]) or found["key"].lower() in _WORDS:
        raise ConfigProblem(f"some YAML readers do not take {found['key']} for a name")
    if found["key"] in block:
        raise ConfigProblem(f"{found['key']} occurs twice")
    try:
        block[found["key"]] = _value(_without_comment(found["value"] or ""))
    except ConfigProblem as problem:
        raise ConfigProblem(f"{found['key']}: {problem}") from None


def _without_comment(text: str) -> str:
    """Remove the comment. Inside a quoted text, `#` does not start a comment."""
    quoted = _QUOTED.fullmatch(text.strip(" "))
    if quoted:
        return quoted[1]
    return re.sub(r"(?:^| )#.*", "", text).strip(" ")


def _value(text: str) -> Any:
    if not text.startswith("["):
        return _scalar(text) if text else None
    if not text.endswith("]"):
        raise ConfigProblem("a list must end with ] on the same line")
    values: list[Any] = []
    position, end = 1, len(text) - 1
    while position <= end and text != "[]":
        item = _ITEM.match(text, position, end)
        if item is None or (item.end() < end and text[item.end()] != ","):
            raise ConfigProblem("a list must be [value, value], each plain or in quotes")
        values.append(_scalar(item[1]))
        position = item.end() + 1
    return values


def _scalar(text: str) -> Any:
    """Return quoted or plain text, a number, true, false or null. Raises ConfigProblem where YAML readers differ."""
    if text[0] in "\"'":
        return _unquoted(text)
    if text in {form for word in _WORDS for form in (word, word.capitalize(), word.upper())}:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if not _ADDRESS.fullmatch(text) and (_UNCLEAR.fullmatch(text) or not _TEXT.match(text)):
        raise ConfigProblem("put the value in quotes (or write true or false): YAML readers differ about it unquoted")
    if ": " in text or text.endswith(":"):
        raise ConfigProblem("put the value in quotes: it contains a colon")
    return text


def _unquoted(text: str) -> str:
    if not _QUOTED.fullmatch(text):
        raise ConfigProblem("the quotes are not closed, or text follows them")
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    if _SURROGATE.search(text):
        raise ConfigProblem(r"write characters beyond \uFFFF as they are")
    try:
        return str(json.loads(text))
    except json.JSONDecodeError:
        raise ConfigProblem(r"in double quotes a backslash may only start \" \\ \/ \b \f \n \r \t \uXXXX") from None


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
    ".json": _read_json,
}
