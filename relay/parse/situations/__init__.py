"""Which of the seven situations of Flask's guide an error was: a hint, with the words it was read from (forms → parse).

    client gone · database overloaded · file system full · disk broken · backend overloaded · bug in a library ·
    network down

The exceptions of a Python traceback are asked, newest first, until one shows a `symptom`; one of the built-in
programming errors ends the search, for what it came upon was no longer the trouble. Where nothing is shown, nothing
is said. Guarantee: pure, bounded, linear in the text; the reason quotes phrases of the table and names from code,
never data of the app's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay import traces
from relay.model import Situation
from relay.parse.situations.symptoms import ACCIDENTS, LOGGED, symptoms_of
from relay.traces import Frame, Origin, Trace

__all__ = ["MAX_REASON", "Hint", "situation"]

Hint = tuple[Situation, str]
"""The situation and the reason for it, on one line."""

MAX_REASON = 200
_CHAIN = 8
_FIRST_LINE = 1_000
_LOGGED_LINE = 500

_DRIVER = re.compile(r"(?:\([\w.]{1,80}\) )?(?:<class '[\w.]{1,80}'>: )?")
"""What SQLAlchemy puts before the words of the driver."""
_TRANSPORT = re.compile(
    r"std \S*(?:socket|ssl|selectors)\.py |gevent gevent/_(?:socket|ssl|hub)\S* |eventlet (?:greenio|green)/"
)
"""Frames that only carry bytes: who wanted to read or write them stands outside of them."""
_RAISED = re.compile(
    r"(?<![\w.\"'])(?P<type>(?:[a-z_]\w{0,40}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Timeout|Disconnect|Disconnected))"
    r"(?:: |\) )(?P<message>.*)"
)
"""An exception inside a log message: `Type: its text`, `(module.Type) its text`."""


def situation(trace: Trace | None, message: str) -> Hint | None:
    """The situation that `trace` shows, else, where there is none, the first line of the log `message`; or None."""
    if trace is None:
        return _logged(message.lstrip().partition("\n")[0][:_LOGGED_LINE])
    if trace.language != "Python":
        return None
    places = list(enumerate(trace.errors))
    for index, error in [each for each in reversed(places) if not each[1].member][:_CHAIN]:
        name = error.type.rpartition(".")[2]
        if name in ACCIDENTS:
            return _library_bug(name, trace, index)
        if hint := _shown(error.type, error.message, error.frames):
            return hint
        if error.message.startswith("[Errno"):
            return None  # trouble of its own, and none of the seven
    return None


def _shown(type_: str, message: str, frames: Sequence[Frame]) -> Hint | None:
    driver = _DRIVER.match(message)
    text = message[driver.end() if driver else 0 : _FIRST_LINE]
    said = [(row, phrase) for row in symptoms_of(type_) if (phrase := row.phrase(text)) is not None]
    if not said:
        return None
    at = [_place(frame) for frame in frames[-_CHAIN:]]
    innermost = at[-1] if at else ""
    user = next((place for place in reversed(at) if not _TRANSPORT.match(place)), "")
    return next((_hint(row.situation, type_, phrase) for row, phrase in said if row.is_there(innermost, user)), None)


def _hint(situation: Situation, type_: str, phrase: str) -> Hint:
    name = type_.rpartition(".")[2]
    return situation, (f"{name}: {phrase}" if phrase else name)[:MAX_REASON]


def _place(frame: Frame) -> str:
    """`package file function`; in place of the package `app` for the app's own code, `std` for the language's."""
    package = frame.package or ("app" if frame.origin is Origin.APP else "std")
    return f"{package} {frame.file} {frame.function}"


def _library_bug(name: str, trace: Trace, index: int) -> Hint | None:
    """A programming error that arose in a package of others, not at the hand of the app.

    An error that is raised on purpose tells of its caller's mistake (`ACCIDENTS` says which never are), and so does
    one of a lookup that the app began: `table["x"]`.
    """
    error, accident = trace.errors[index], ACCIDENTS[name]
    if not error.frames or accident is None or not accident.match(error.message):
        return None
    innermost = error.frames[-1]
    if not innermost.package or innermost in (own := traces.relevant_frames(trace)[index]):
        return None
    last_own = max((place for place, frame in enumerate(error.frames) if frame in own), default=-1)
    entered = error.frames[last_own + 1].function
    if entered.startswith("__") or innermost.function.startswith("__get") or (name == "KeyError" and not own):
        return None
    return Situation.LIBRARY_BUG, f"{name} in {innermost.place}"[:MAX_REASON]


def _logged(line: str) -> Hint | None:
    """What a log message quotes of an exception: its type with its words, or words that are nobody else's."""
    if (raised := _RAISED.search(line)) and raised["type"].rpartition(".")[2] not in ACCIDENTS:
        return _shown(raised["type"], raised["message"], ())
    for label, words in LOGGED:
        if match := words.search(line):
            return label, match[0][:MAX_REASON]
    return None
