"""Classify an error as one of the seven situations of Flask's guide, with the reason (layouts → situations → report).

    client gone · database overloaded · file system full · disk broken · backend overloaded · bug in a library ·
    network down

The result is a hint. The exceptions of a Python traceback are checked, newest first, until one matches a row of
`symptoms`. A built-in programming error ends the search, because then an earlier exception is no longer the cause.
Without a match there is no hint.

Guarantee: pure functions, bounded, linear in the text. The reason contains only phrases of the table and names from
the code, never data of the app.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay import traces
from relay.model import Situation
from relay.parse.situations.symptoms import LOG_PHRASES, PROGRAMMING_ERRORS, symptoms_of
from relay.traces import Frame, Origin, Trace

__all__ = ["MAX_REASON", "Hint", "situation"]

Hint = tuple[Situation, str]
"""The situation and the reason for it, on one line."""

MAX_REASON = 200
_CHAIN = 8
_FIRST_LINE = 1_000
_LOGGED_LINE = 500

_DRIVER = re.compile(r"(?:\([\w.]{1,80}\) )?(?:<class '[\w.]{1,80}'>: )?")
"""The prefix that SQLAlchemy adds to the message of the driver."""
_TRANSPORT = re.compile(
    r"std \S*(?:socket|ssl|selectors)\.py |gevent gevent/_(?:socket|ssl|hub)\S* |eventlet (?:greenio|green)/"
)
"""Frames that only transport bytes. The caller that reads or writes them is an outer frame."""
_RAISED = re.compile(
    r"(?<![\w.\"'])(?P<type>(?:[a-z_]\w{0,40}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Timeout|Disconnect|Disconnected))"
    r"(?:: |\) )(?P<message>.*)"
)
"""An exception inside a log message: `Type: its text`, `(module.Type) its text`."""


def situation(trace: Trace | None, message: str) -> Hint | None:
    """Return the situation shown by `trace`, or without a trace by the first line of the log `message`; else None."""
    if trace is None:
        return _from_log_message(message.lstrip().partition("\n")[0][:_LOGGED_LINE])
    if trace.language != "Python":
        return None
    indexed = list(enumerate(trace.errors))
    for index, error in [each for each in reversed(indexed) if not each[1].member][:_CHAIN]:
        name = error.type.rpartition(".")[2]
        if name in PROGRAMMING_ERRORS:
            return _library_bug(name, trace, index)
        if hint := _match_symptoms(error.type, error.message, error.frames):
            return hint
        if error.message.startswith("[Errno"):
            return None  # another failure of the operating system, none of the seven
    return None


def _match_symptoms(type_: str, message: str, frames: Sequence[Frame]) -> Hint | None:
    driver = _DRIVER.match(message)
    text = message[driver.end() if driver else 0 : _FIRST_LINE]
    candidates = [(row, phrase) for row in symptoms_of(type_) if (phrase := row.phrase(text)) is not None]
    if not candidates:
        return None
    places = [_place(frame) for frame in frames[-_CHAIN:]]
    innermost = places[-1] if places else ""
    caller = next((place for place in reversed(places) if not _TRANSPORT.match(place)), "")
    return next(
        (_hint(row.situation, type_, phrase) for row, phrase in candidates if row.matches_frames(innermost, caller)),
        None,
    )


def _hint(situation: Situation, type_: str, phrase: str) -> Hint:
    name = type_.rpartition(".")[2]
    return situation, (f"{name}: {phrase}" if phrase else name)[:MAX_REASON]


def _place(frame: Frame) -> str:
    """Return `package file function`. The package is `app` for code of the app, `std` for the standard library."""
    package = frame.package or ("app" if frame.origin is Origin.APP else "std")
    return f"{package} {frame.file} {frame.function}"


def _library_bug(name: str, trace: Trace, index: int) -> Hint | None:
    """Return a hint if a programming error occurred inside a third-party package and was not caused by its caller.

    An error that a library raises on purpose reports a mistake of its caller; `PROGRAMMING_ERRORS` lists those that are
    never raised on purpose. An error in a lookup that the app began, such as `table["x"]`, is the app's own.
    """
    error, pattern = trace.errors[index], PROGRAMMING_ERRORS[name]
    if not error.frames or pattern is None or not pattern.match(error.message):
        return None
    innermost = error.frames[-1]
    if not innermost.package or innermost in (own := traces.relevant_frames(trace)[index]):
        return None
    last_own = max((number for number, frame in enumerate(error.frames) if frame in own), default=-1)
    entered = error.frames[last_own + 1].function
    if entered.startswith("__") or innermost.function.startswith("__get") or (name == "KeyError" and not own):
        return None
    return Situation.LIBRARY_BUG, f"{name} in {innermost.place}"[:MAX_REASON]


def _from_log_message(line: str) -> Hint | None:
    """Return a hint if a log message quotes an exception: its type and message, or a phrase that is unambiguous."""
    if (raised := _RAISED.search(line)) and raised["type"].rpartition(".")[2] not in PROGRAMMING_ERRORS:
        return _match_symptoms(raised["type"], raised["message"], ())
    for label, pattern in LOG_PHRASES:
        if match := pattern.search(line):
            return label, match[0][:MAX_REASON]
    return None
