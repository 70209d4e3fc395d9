"""Reads an app's configuration from a YAML, TOML or JSON file with a `FLASK` block, before anything else is set up.

    FLASK:
        DEBUG: True
        DEBUG_WITH_APTANA: True

as Flask's guide "Debugging Application Errors" has it. Of YAML only what the guide uses is read, one `KEY: value` a
line, because the standard library has no YAML: what is accepted means the same to every YAML reader, and all else is
refused with its line, never guessed at. TOML and JSON are read in full. No error text shows a value: it may be a
password.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

BLOCK = "FLASK"
_MOST_BYTES = 1024 * 1024
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
    """What is wrong with a configuration file and where, in one line without any of its values."""


def load_config(path: str | PathLike[str]) -> dict[str, Any]:
    """The file's `FLASK` block, fit for `app.config.from_mapping`; the end of its name says whether YAML, TOML or JSON.

    Raises ConfigProblem when the file cannot be read, is not what its name says, has no such block or is over 1 MiB,
    for a key that Flask would pass over because it is not upper-case, and for a switch (DEBUG, …) that is not a bool.
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
            content = stream.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigProblem(": not UTF-8") from None
    except OSError as trouble:
        raise ConfigProblem(f": cannot be read from {Path.cwd()}: {trouble.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise ConfigProblem(": over 1 MiB, hardly a configuration")
    return text.replace("\r\n", "\n")


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    block = config.get(BLOCK)
    if not isinstance(block, dict):
        raise ConfigProblem(f': no block "{BLOCK}" with the keys of app.config in it')
    for key, value in block.items():
        if not key.isupper():
            raise ConfigProblem(f": {BLOCK}: {key!r}: Flask reads upper-case keys alone; write {key.upper()}")
        if key in _SWITCHES and not isinstance(value, bool):
            raise ConfigProblem(f": {BLOCK}: {key}: must be true or false, without quotes")
    return block


def _read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigProblem(f": no TOML: {problem}") from None


def _read_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigProblem(f": no JSON: {problem}") from None
    return found if isinstance(found, dict) else {}


def _read_yaml(text: str) -> dict[str, Any]:
    """The block of the guide. Other blocks are passed over, unread: they belong to other programs."""
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
                f", line {number}: {problem}. Of YAML this reads flat `KEY: value` lines; for more write TOML or JSON"
            ) from None
    return config


def _open_block(line: str, config: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The new block to fill, None for one that is not ours."""
    found = _LINE.fullmatch(line)
    if found is None or not line.isprintable():
        raise ConfigProblem("neither the name of a block nor indented below one")
    value = _without_comment(found["value"] or "")
    if found["key"] != BLOCK:
        if value and not _ONE_LINE.fullmatch(value):
            raise ConfigProblem("a value that may run on over the next lines")
        return None
    if value:
        raise ConfigProblem(f"{BLOCK} is followed by a value, not by indented lines")
    if BLOCK in config:
        raise ConfigProblem(f"a second {BLOCK}")
    return config.setdefault(BLOCK, {})


def _read_pair(line: str, block: dict[str, Any], indents: set[str]) -> None:
    found = _LINE.fullmatch(line.rstrip(" "))
    if found is None or not line.isprintable():
        raise ConfigProblem("not of the form `KEY: value`")
    indents.add(found["indent"])
    if len(indents) > 1:
        raise ConfigProblem("indented unlike the first key")
    if _UNCLEAR.fullmatch(found["key"]) or found["key"].lower() in _WORDS:
        raise ConfigProblem(f"{found['key']} is no name in every YAML")
    if found["key"] in block:
        raise ConfigProblem(f"a second {found['key']}")
    try:
        block[found["key"]] = _value(_without_comment(found["value"] or ""))
    except ConfigProblem as problem:
        raise ConfigProblem(f"{found['key']}: {problem}") from None


def _without_comment(text: str) -> str:
    """For a quoted text, which may hold a `#`, only what follows it is taken for a comment."""
    quoted = _QUOTED.fullmatch(text.strip(" "))
    if quoted:
        return quoted[1]
    return re.sub(r"(?:^| )#.*", "", text).strip(" ")


def _value(text: str) -> Any:
    if not text.startswith("["):
        return _scalar(text) if text else None
    if not text.endswith("]"):
        raise ConfigProblem("a list ends with ] on the same line")
    values: list[Any] = []
    position, end = 1, len(text) - 1
    while position <= end and text != "[]":
        item = _ITEM.match(text, position, end)
        if item is None or (item.end() < end and text[item.end()] != ","):
            raise ConfigProblem("a list is [value, value], each plain or in quotes")
        values.append(_scalar(item[1]))
        position = item.end() + 1
    return values


def _scalar(text: str) -> Any:
    """Quoted or plain text, a number, true, false or null; refused where YAML's readers differ."""
    if text[0] in "\"'":
        return _unquoted(text)
    if text in {form for word in _WORDS for form in (word, word.capitalize(), word.upper())}:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if not _ADDRESS.fullmatch(text) and (_UNCLEAR.fullmatch(text) or not _TEXT.match(text)):
        raise ConfigProblem("put the value in quotes (or write true or false): plain, it may be read in several ways")
    if ": " in text or text.endswith(":"):
        raise ConfigProblem("put the value in quotes: a colon stands in it")
    return text


def _unquoted(text: str) -> str:
    if not _QUOTED.fullmatch(text):
        raise ConfigProblem("the quotes are not closed, or something follows them")
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    if _SURROGATE.search(text):
        raise ConfigProblem(r"write characters beyond \uFFFF as they are")
    try:
        return str(json.loads(text))
    except json.JSONDecodeError:
        raise ConfigProblem(r"in double quotes a backslash stands only in \" \\ \/ \b \f \n \r \t \uXXXX") from None


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
    ".json": _read_json,
}
