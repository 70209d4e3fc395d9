"""The components of a report that decide which error it is (report → components → fingerprint).

With a stack trace, the components are the chain of exception types, their messages without data, and the app's own
functions in the calls (file and name, no line numbers). Without one, they are the message without data and the location
that logged it, as far as the mail names it. Of a text that does not say what failed, the subject is the message, and
names from code in it count. Never a component: time, host, process, app, line numbers, install folders.

Guarantee: no other module computes components. `fingerprint` hashes `Components.parts`: two reports have equal keys if
and only if their parts are equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from relay.model import Form, Report
from relay.parameterize.source_template import python as python_source
from relay.parameterize.source_template.match import Fit, fit, shares_a_word
from relay.parameterize.template import Template, parameterize, parameterize_1
from relay.traces import Error, Frame, Origin, Stack, Trace, find, python, relevant_frames_of
from relay.traces.paths import python_place, without_release
from relay.traces.python_wording import normalize_wording

MAX_CHAIN = 20
"""Errors of a chain that count: the last ones, nearest to the reported error."""
MAX_EXCEPTION_TEXT = 2_000
"""Characters that are read of an exception's message, and of a message that is all fields."""
MAX_SOURCE_LINES = 3
"""Source lines of the app, from the innermost on, in which the template of a message is looked for."""
MAX_CACHED_FRAMES = 200
"""Frames of the largest chain whose calls are cached. With `MAX_CACHED_CHAINS` this bounds the memory."""
MAX_CACHED_CHAINS = 256

_THINGS = (
    "name",
    "alarm name",
    "problem name",
    "service",
    "check",
    "monitor",
    "job",
    "task",
    "서비스",
    "작업",
    "작업명",
    "服务",
    "任务",
    "サービス",
    "ジョブ名",
    "dienst",
    "auftrag",
)
"""Labels of a thing that the title names."""
_MAX_THING = 60

_ALPHABETIC = re.compile(r"[^\W\d_]")
_NO_TEMPLATE = Template("", "", ())
_FIELD_NAME = re.compile(r"[\"']([A-Za-z_][\w.-]{0,40})[\"'] ?:")


class Calls(NamedTuple):
    """The calls of one error, as they count."""

    own: Stack
    """The app's own frames, each once. Where no frame is the app's, see `traces.counted_in`."""
    key: str
    """The same frames as text for the key."""


class ChainedError(NamedTuple):
    """One error of a chain, as it counts."""

    error: Error
    type: str
    template: Template
    """The error's message without data."""
    calls: Calls

    @property
    def part(self) -> str:
        """Type, message and calls as one text for the key."""
        return f"{self.type}\x1e{self.template.key}{self.calls.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The components of one report. With a stack trace, `message` and `location` are empty; without one, `chain` is."""

    trace: Trace | None = None
    calls: tuple[Calls, ...] = ()
    """The calls of each error of `trace`."""
    chain: tuple[ChainedError, ...] = ()
    """The errors of the trace that count, oldest cause first."""
    message: Template = _NO_TEMPLATE
    """The log message without data."""
    message_parts: tuple[str, ...] = ()
    """The parts of the message that count: its template and, if that has no letters, the names of its fields."""
    headline: str = ""
    """The line of the message that names the error, without data; "" for the first line."""
    things: tuple[str, ...] = ()
    """The named things that failed, without data, for the title: `nginx`."""
    names: tuple[str, ...] = ()
    """Labels with their values without data: what else identifies the error."""
    location: tuple[str, str, str] = ("", "", "")
    """File, function and logger; "" where the mail does not name one."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The input of the key, in its order. Changing it changes every fingerprint: that needs a new `VERSION`."""
        if not self.chain:
            return ("message", *self.location, *self.message_parts, *self.names)
        chain = dict.fromkeys(error.part for error in self.chain if not error.error.member)
        members = {error.part for error in self.chain if error.error.member}
        return ("trace", *chain, *sorted(members))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames of the chain, own and library ones."""
        return tuple(frame for error in self.chain for frame in error.error.frames)


def components(report: Report) -> Components:
    """Return the components of `report`. Every report has some.

    Those of the last report are remembered: the fingerprint needs them, and then the learner.
    """
    last = _last[0]
    if last is not None and last[0] is report:
        return last[1]
    found = _components(report, _Method(parameterize, _chained, _calls, without_release))
    _last[0] = (report, found)
    return found


_last: list[tuple[Report, Components] | None] = [None]


def components_1(report: Report) -> Components:
    """Return the components of version 1 of the fingerprint. See `former`."""
    return _components(report, _Method(parameterize_1, _chained_1, _calls_1, str))


class _Method(NamedTuple):
    """How one version of the fingerprint computes the components."""

    parameterize: Callable[[str], Template]
    """Replaces the data of a text."""
    chained: Callable[[Trace, Error, Calls], ChainedError]
    """Returns what counts of one error of a chain."""
    calls: Callable[[tuple[Stack, ...], str], tuple[Calls, ...]]
    """Returns what counts of the stacks of a chain."""
    file: Callable[[str], str]
    """Shortens a file that the mail names outside of a trace."""


def _components(report: Report, method: _Method) -> Components:
    trace = find(report.trace) if report.trace else None
    if trace is None:
        return _of_message(report, method)
    return _of_trace(_named(trace, report.headline), report.app_package, method)


# --- With a stack trace -----------------------------------------------------------------------------------------------


_HEADLINE = re.compile(r"(?P<type>[A-Za-z_][\w.:$\\]{2,200}): (?P<message>.*)|(?P<only>[A-Za-z_]\S{2,200})$", re.DOTALL)


def _named(trace: Trace, headline: str) -> Trace:
    """Return `trace` with the type and the message of `headline`, if the trace itself names no exception."""
    error = trace.errors[-1]
    if error.type or error.message or not headline:
        return trace
    found = _HEADLINE.match(headline)
    type_, message = (found["type"] or found["only"] or "", found["message"] or "") if found else ("", headline)
    return trace._replace(errors=(*trace.errors[:-1], error._replace(type=type_, message=message)))


def _of_trace(trace: Trace, app_package: str, method: _Method) -> Components:
    calls = method.calls(tuple(error.frames for error in trace.errors), app_package)
    pairs = list(zip(trace.errors, calls, strict=True))[-MAX_CHAIN:]
    chain = tuple(method.chained(trace, error, own) for error, own in pairs)
    return Components(trace=trace, calls=calls, chain=chain)


def _chained_1(trace: Trace, error: Error, calls: Calls) -> ChainedError:
    type_, message = _type_and_message(trace, error)
    return ChainedError(error, type_, parameterize_1(message), calls)


def _type_and_message(trace: Trace, error: Error) -> tuple[str, str]:
    type_, message = error.type, error.message[:MAX_EXCEPTION_TEXT]
    return normalize_wording(type_, message) if trace.language == python.NAME else (type_, message)


def _chained(trace: Trace, error: Error, calls: Calls) -> ChainedError:
    type_, message = _type_and_message(trace, error)
    found = _fit(error, calls) if error.source and message == error.message else None
    if found:
        message = found.message
    if not (found and found.data) and any(each.member for each in trace.errors):
        message = _COUNT_IN_WORDS.sub("<number>", message)
    return ChainedError(error, type_, parameterize(message, found.data if found else ()), calls)


_COUNT_IN_WORDS = re.compile(
    r"(?<![\w-])(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|both|several|many)(?![\w-])",
    re.IGNORECASE,
)
"""The number of members in the message of an exception group: `three uploads failed` of which each failed alike."""


def _fit(error: Error, calls: Calls) -> Fit | None:
    """Return which parts of the message a source line of the app formatted from values; None if no line fits.

    Source lines of libraries do not count: their holes often are names from the code.
    """
    for line, raised in _own_lines(error.source, calls.key) if error.message else ():
        if shares_a_word(error.message, line):
            found = fit(error.message, python_source.templates(line), raised=raised)
            if found:
                return found
    return None


@lru_cache(maxsize=MAX_CACHED_CHAINS)
def _own_lines(source: str, key: str) -> tuple[tuple[str, bool], ...]:
    """Return the source lines of the app that contain a string, and whether it is the line that raised.

    `key` is that of the calls. Cached, since a repeated error has the same stack.
    """
    if "'" not in source and source.count('"') == 2 * source.count('File "'):
        return ()  # no quotes but those of the frames: a cheap check
    key += "\x1e"
    own = (
        (number == 0, line)
        for number, line in enumerate(python.source_lines(source))
        if line.frame.origin < Origin.LIBRARY and f"\x1e{_without_release(line.frame).place}\x1e" in key
    )
    found: list[tuple[str, bool]] = []
    for raised, line in islice(own, MAX_SOURCE_LINES):
        if "'" in line.whole or '"' in line.whole:
            found += ((text, raised) for text in dict.fromkeys((line.marked, line.whole)))
    return tuple(found)


def _calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    """The calls of each error. Cached, since a repeated error has identical stacks."""
    few = sum(map(len, stacks)) <= MAX_CACHED_FRAMES
    return _cached_calls(stacks, app_package) if few else _all_calls(stacks, app_package)


@lru_cache(maxsize=MAX_CACHED_CHAINS)
def _cached_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    return _all_calls(stacks, app_package)


def _all_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    owns = relevant_frames_of(stacks, app_package)
    return tuple(_calls_of(_without_releases(own)) for own in owns)


def _calls_1(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    return tuple(_calls_of(own) for own in relevant_frames_of(stacks, app_package))


def _calls_of(own: Stack) -> Calls:
    return Calls(own, "".join(f"\x1e{frame.place}" for frame in own))


def _without_releases(own: Stack) -> Stack:
    if all(without_release(frame.file) == frame.file for frame in own):
        return own
    return tuple(dict.fromkeys(map(_without_release, own)))


def _without_release(frame: Frame) -> Frame:
    file = without_release(frame.file)
    return frame if file == frame.file else frame._replace(file=file)


# --- Without a stack trace --------------------------------------------------------------------------------------------


def _of_message(report: Report, method: _Method) -> Components:
    parameterize = method.parameterize
    message = parameterize(report.template or report.message or report.subject)
    return Components(
        message=message,
        message_parts=_message_parts(report, message),
        headline=parameterize(report.headline).text if report.headline else "",
        things=tuple(value for label, value in report.names if label in _THINGS and len(value) <= _MAX_THING),
        names=tuple(f"{label}={parameterize(value).key}" for label, value in report.names),
        location=_location(report, method),
    )


def _message_parts(report: Report, message: Template) -> tuple[str, ...]:
    return (message.key,) if _ALPHABETIC.search(message.key) else (message.key, *_field_names(report.message))


def _field_names(message: str) -> list[str]:
    """The field names of a message that is one structure of data. They distinguish such messages."""
    return sorted(set(_FIELD_NAME.findall(message[:MAX_EXCEPTION_TEXT])))


def _location(report: Report, method: _Method) -> tuple[str, str, str]:
    """File, function and logger.

    Our client sends the logger in a header, stock handlers do not. So the client's logger is left out where the file is
    known: mails of both handlers then have the same key.
    """
    path, _, line = report.location.rpartition(":")
    path = path if line.isdigit() and path else report.location
    logger = "" if path and report.form is Form.CLIENT else report.logger
    return (method.file(python_place(path).file) if path else report.module, report.function, logger)
