"""Find the log records in a text: the lines at which one begins, with its level (segment → statement).

Logging libraries write the same parts in many orders: a time, a level, a logger, a thread. A line begins a record if
it has a level where only such parts precede it. Lines without such a beginning continue the record above.

Guarantee: pure, and linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from relay.memo import memoized
from relay.model import Level
from relay.parse.layouts.layout import LEVELS

MAX_RECORDS = 2_000
"""Records of one text. Of more, the first and the last ones are found."""
_MAX_FIRST, _SAMPLE = 40, 6
"""The first lines that show whether a text consists of records."""
_MAX_HEAD = 300
"""Characters of a line that are searched for the beginning of a record."""

_FURTHER_LEVELS = {
    Level.DEBUG: "TRC DBG VERBOSE VRB TRCE DBUG FINE FINER FINEST DEBUG1 DEBUG2",
    Level.INFO: "INF NOTE INFORMATION CONFIG LOG STATEMENT DETAIL HINT CONTEXT OK SUCCESS",
    Level.WARNING: "WRN",
    Level.ERROR: "FAILURE FAIL",
    Level.CRITICAL: "CRT FTL",
}
"""Names that are levels in log records alone; elsewhere they are common words."""
_BY_NAME = LEVELS | {name: level for level, names in _FURTHER_LEVELS.items() for name in names.split()}
_GERMAN_AND_OTHERS = {
    "FEHLER": Level.ERROR,
    "WARNUNG": Level.WARNING,
    "ERREUR": Level.ERROR,
    "AVERTISSEMENT": Level.WARNING,
    "SCHWERWIEGEND": Level.ERROR,
    "ERRORE": Level.ERROR,
    "エラー": Level.ERROR,
    "警告": Level.WARNING,
    "情報": Level.INFO,
    "致命的": Level.CRITICAL,
    "오류": Level.ERROR,
    "에러": Level.ERROR,
    "경고": Level.WARNING,
    "정보": Level.INFO,
    "심각": Level.CRITICAL,
    "错误": Level.ERROR,
    "信息": Level.INFO,
    "严重": Level.CRITICAL,
}
_BY_NAME |= _GERMAN_AND_OTHERS
_SINGLE = {
    "E": Level.ERROR,
    "W": Level.WARNING,
    "I": Level.INFO,
    "D": Level.DEBUG,
    "F": Level.CRITICAL,
    "C": Level.CRITICAL,
    "V": Level.DEBUG,
    "N": Level.INFO,
}

_TIME = (
    r"(?:\d{4}[-/.]\d\d[-/.]\d\d[T ,_]{1,2}\d\d:\d\d(?::\d\d(?:[.,:]\d{1,9})?)?(?: ?(?:Z|UTC|GMT|MSK|[A-Z]{1,3}T|[+-]\d\d:?\d\d)(?![A-Za-z]))?"
    r"|\d{1,2}[-/. ](?:[A-Z][a-z]{2}|\d{1,2})[-/. ]\d{2,4}[ :,T]{1,2}\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?[AP]M)?(?: [+-]\d{4})?"
    r"|(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} [ \d]?\d,?(?: \d{4})?,? \d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?(?: [AP]M)?(?: \d{4})?"
    r"|\d{4}년 ?\d{1,2}월 ?\d{1,2}일 ?\d\d:\d\d:\d\d|\d{4}年\d{1,2}月\d{1,2}日 ?\d\d:\d\d:\d\d"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?|\d{10}(?:\.\d{1,9})?(?=\]))"
)
_UPPER = "|".join(sorted(_BY_NAME, key=len, reverse=True))
_ANY = "|".join(sorted({*_BY_NAME, *map(str.capitalize, _BY_NAME), *map(str.lower, _BY_NAME)}, key=len, reverse=True))
_TIMED = re.compile(rf"\W{{0,3}}{_TIME}")
_LEVEL = re.compile(
    rf"[\[<(|](?:[\w-]{{1,40}}[.:])?(?P<boxed>{_ANY}|[EWIDFCVN])[\]>)|]|(?:[\w-]{{1,40}}\.)?(?P<upper>{_UPPER})(?=[\]\s|:)>/,-]|$)|(?P<any>{_ANY})(?=:)"
)
_PART = re.compile(r"[ \t|,:>*-]{1,20}|\[[^\[\]\n]{0,120}\]|\([^()\n]{0,80}\)|<\d{1,3}>|[^\s\[\]()|]{1,100}")
_MAX_WORDS = 1
"""Words between the time and a level in lower case: `web-1 error: …` is a record, `http: panic: runtime error: …` is not."""
_MAX_PARTS = 14
"""Parts between the time and the level of a record, the blanks between them included."""
_BARE = re.compile(
    rf"(?:\[(?:{_TIME} ?)?(?P<boxed>{_ANY})\][ \t:-]|(?P<upper>{_UPPER})(?:[:|]| - |(?=[ \t]{{1,4}}\[)|[ \t]{{1,4}}(?=[\d\"'<A-Z]))|(?P<lower>error|warning|warn|info|debug|fatal|critical|notice): )"
)
_GLOG = re.compile(r"(?P<letter>[IWEF])\d{4} \d\d:\d\d:\d\d")
_RUBY = re.compile(r"[DIWEFA], \[[^\]]{10,60}\] {1,2}(?P<upper>[A-Z]{3,7}|ANY) -- ")
_JSON_LEVEL = (
    "level",
    "levelname",
    "severity",
    "log.level",
    "lvl",
    "loglevel",
    "@level",
    "level_name",
    "Level",
    "LogLevel",
    "@l",
)
_JSON_MESSAGE = (
    "message",
    "msg",
    "event",
    "text",
    "log",
    "@message",
    "@m",
    "@mt",
    "error",
    "Message",
    "RenderedMessage",
)
_LOGFMT_LEVEL = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?(?P<any>[A-Za-z]{3,9})\"?(?=\s|$)")
_LOGFMT_MESSAGE = re.compile(r"(?:^|\s)(?:msg|message|err|error)=")
_NUMERIC = {10: Level.DEBUG, 20: Level.INFO, 30: Level.WARNING, 40: Level.ERROR, 50: Level.CRITICAL}
_PINO = {10: Level.DEBUG, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARNING, 50: Level.ERROR, 60: Level.CRITICAL}


class Head(NamedTuple):
    """The beginning of a log record in a line."""

    level: Level
    end: int
    """Where the line continues after the level."""
    timed: bool = False
    """True if a time precedes the level, or the line is a JSON or logfmt record: this is a log record for sure."""


class LogRecord(NamedTuple):
    """One log record of a text: the lines from `start` to `end`."""

    start: int
    end: int
    level: Level
    timed: bool


def level_named(name: str) -> Level | None:
    """Return the level with this name, in any case and with brackets or other marks around it; None for other text."""
    return _BY_NAME.get(name.strip(" \t*[]()<>:|-").upper())


@memoized(size=400_000, largest=1_000)
def head_of(line: str) -> Head | None:
    """Return the beginning of a log record in `line`; None if none begins there."""
    text = line[:_MAX_HEAD]
    if text.startswith("{"):
        return _json_head(line)
    if (found := _TIMED.match(text)) and (head := _timed_head(text, found.end())):
        return head
    if found := _BARE.match(text):
        return Head(_BY_NAME[(found["boxed"] or found["upper"] or found["lower"]).upper()], found.end())
    return _lettered_head(text) or _logfmt_head(line)


def _lettered_head(text: str) -> Head | None:
    """Return the beginning of a record that states its level as one character: Google's glog, Ruby's Logger."""
    if found := _GLOG.match(text):
        return Head(_SINGLE[found["letter"]], found.end(), timed=True)
    if found := _RUBY.match(text):
        return Head(_BY_NAME.get(found["upper"], Level.INFO), found.end(), timed=True)
    return None


def _logfmt_head(line: str) -> Head | None:
    text = line[:2_000]
    found = _LOGFMT_LEVEL.search(text[:_MAX_HEAD]) if "=" in text else None
    level = _BY_NAME.get(found["any"].upper()) if found and _LOGFMT_MESSAGE.search(text) else None
    return Head(level, 0, timed=True) if level else None


_AFTER_LEVEL = re.compile(r"[\]\s:|>)/,-]{0,20}")
_AFTER_PART = re.compile(
    r"(?:\[[^\[\]\n]{0,120}\]|\([\w.:/-]{1,80}\)|\d{1,12} --- |\d{1,12}#\d{1,9}:|\*\d{1,12}(?= ))[\s:|,-]{0,5}"
)
_LOGGER = re.compile(
    r"(?P<logger>(?!\S{0,120}(?:Exception|Error|Failure): )[A-Za-z_][\w.$/\\-]{1,120})(?: {0,40}- |: |\|| {1,40}: )"
)


def without_decoration(rest: str) -> tuple[str, str]:
    """Return the message and the logger of a record, from the rest of its line after the level; "" without a logger."""
    position = _end(_AFTER_LEVEL.match(rest), 0)
    for _ in range(6):
        position = _end(_AFTER_PART.match(rest, position), position)
    found = _LOGGER.match(rest, position)
    if found and len(rest) > found.end():
        return rest[found.end() :].lstrip(" :-|"), found["logger"]
    return rest[position:], ""


def _end(found: re.Match[str] | None, otherwise: int) -> int:
    return found.end() if found else otherwise


def begins_with_time(line: str) -> bool:
    """Return True for a line of a log, whether or not it has a level."""
    return _TIMED.match(line[:_MAX_HEAD]) is not None


def _timed_head(text: str, position: int) -> Head | None:
    """Return the level that follows a time, with nothing but the parts of a record's beginning between them."""
    words = 0
    for _ in range(_MAX_PARTS):
        found = _LEVEL.match(text, position)
        if found and not (found["any"] and words > _MAX_WORDS):
            name = found["upper"] or found["boxed"] or found["any"]
            level = _SINGLE[name] if len(name) == 1 else _BY_NAME[name.upper()]
            return Head(level, found.end(), timed=True)
        part = _PART.match(text, position)
        if part is None:
            return None
        words += part[0][0].isalpha()
        position = part.end()
    return None


def _json_head(line: str) -> Head | None:
    if len(line) > 64_000 or not line.rstrip().endswith("}"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not any(record.get(name) for name in _JSON_MESSAGE):
        return None
    for name in _JSON_LEVEL:
        value = record.get(name)
        if isinstance(value, str) and (level := level_named(value)):
            return Head(level, 0, timed=True)
        if isinstance(value, int) and value in _PINO:
            return Head(
                (_PINO if "pid" in record or "hostname" in record else _NUMERIC).get(value, Level.ERROR), 0, timed=True
            )
    return Head(Level.INFO, 0, timed=True) if "time" in record or "timestamp" in record or "@t" in record else None


def are_records(lines: Sequence[str]) -> bool:
    """Return True if the text consists of log records: each of its first lines begins with a time and has a level.

    Not for Ruby's Logger: Rails writes the beginning before each line of one record.
    """
    first = list(islice(filter(str.strip, lines[:_MAX_FIRST]), _SAMPLE))
    heads = [head_of(line) for line in first]
    timed = all(map(begins_with_time, first))
    return len(first) > 1 and timed and all(head is not None and head.timed for head in heads)


def records_in(lines: Sequence[str]) -> list[LogRecord]:
    """Return the log records in `lines`, in order. Lines above the first one belong to none.

    Beginnings without a time count only if no line with a time begins a record: such words also begin other lines.
    """
    heads = [(number, head) for number, line in enumerate(lines) if line and (head := head_of(line))]
    if any(head.timed for _, head in heads):
        heads = [each for each in heads if each[1].timed]
    if len(heads) > MAX_RECORDS:
        heads = [*heads[: MAX_RECORDS // 2], *heads[-MAX_RECORDS // 2 :]]
    ends = [*(number for number, _ in heads[1:]), len(lines)][: len(heads)]
    return [LogRecord(number, end, head.level, head.timed) for (number, head), end in zip(heads, ends, strict=True)]
