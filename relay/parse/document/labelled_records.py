"""Rewrite log records whose parts are labelled lines as log lines, so that `records` finds them.

HTML layouts of logging libraries write each record as a table: Monolog with the level as a heading and a row for each
part, log4j and logback with a column for each part. As text, both are labelled lines: `Level: ERROR`, `Message: …`.

Guarantee: pure, and linear in the text. A text without such records stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from relay.parse.document.fields import Field, Meaning, field_of
from relay.parse.document.records import level_named
from relay.parse.document.statement import severity_named

_LOGGERS = ("logger", "category", "channel", "source", "name")
_MESSAGES = ("message", "msg", "text", "메시지", "消息", "メッセージ", "nachricht", "meldung", "mensaje")
_MAX_FIELDS = 30


def as_log_lines(lines: Sequence[str]) -> list[str]:
    """Return `lines` with labelled records as `[ERROR] logger - message` and the other lines of the record below."""
    if not any("essage" in line or ":" in line for line in lines[:200]):
        return list(lines)
    done: list[str] = []
    headed = found = 0
    for paragraph in _paragraphs(lines):
        record, has_heading = _record(paragraph)
        found += record is not None
        headed += has_heading
        done += record if record is not None else paragraph
        done.append("")
    return done[:-1] if found > 1 or headed else list(lines)


def _paragraphs(lines: Sequence[str]) -> list[list[str]]:
    """Return the groups of lines between blank lines; a heading that is a level begins a group of its own."""
    found: list[list[str]] = [[]]
    heading = False
    for line in lines:
        text = line.strip()
        if not text and not heading:
            found.append([])
        elif text:
            if is_level := _is_level(text):
                found.append([])
            found[-1].append(line)
            heading = is_level
    return [each for each in found if each]


def _is_level(text: str) -> bool:
    return len(text) <= 12 and text.isupper() and level_named(text) is not None


def _record(paragraph: Sequence[str]) -> tuple[list[str] | None, bool]:
    """Return the record as log lines, None if the paragraph is none; and whether its level is a heading."""
    has_heading = _is_level(paragraph[0].strip())
    fields = [field_of(line) for line in paragraph[:_MAX_FIELDS]]
    message = next((n for n, each in enumerate(fields) if each and each.label in _MESSAGES and each.value), -1)
    level = paragraph[0].strip() if has_heading else _level(fields)
    if message < 0 or not level:
        return None, False
    logger = next((each.value for each in fields if each and each.label in _LOGGERS and each.value), "")
    text = fields[message]
    first = f"[{level}] {logger} - " if logger else f"[{level}] "
    rest = [line for line, each in zip(paragraph, fields, strict=False) if each is None][has_heading:]
    return [first + (text.value if text else ""), *rest, *paragraph[_MAX_FIELDS:]], has_heading


def _level(fields: Sequence[Field | None]) -> str:
    for each in fields:
        if each and each.meaning is Meaning.LEVEL and (level := severity_named(each.value)):
            return level.name
    return ""
