"""The components of a report that decide which error it is: the one place that computes them (report → fingerprint).

With a stack trace these are the chain of exception types, their messages without data, and the app's own functions on
the way (files and names, no line numbers). Without one they are the place that logged the message, as far as the mail
says, and the message without data. Never: time, host, process, app, subject, line numbers, install folders.

`fingerprint` hashes `Components.parts`. Reports with equal parts have equal keys, and no others have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from relay.model import Form, Report
from relay.parameterize.template import Template, parameterize
from relay.traces import Error, Frame, Stack, Trace, find, python, relevant_frames_of
from relay.traces.paths import python_place
from relay.traces.python_wording import normalize_wording

MAX_CHAIN = 20
"""Errors of a chain that count: the ones nearest to what was reported."""
MAX_EXCEPTION_TEXT = 2_000
"""Characters of an exception's message, and of a message of fields, that are read."""
MAX_CACHED_FRAMES = 200
"""Frames of a chain whose own calls are cached; with the number of chains this bounds the memory."""
MAX_CACHED_CHAINS = 256

_LETTERS = re.compile(r"[^\W\d_]")
_NO_TEMPLATE = Template("", "", ())
_FIELD_NAME = re.compile(r"[\"']([A-Za-z_][\w.-]{0,40})[\"'] ?:")


class Calls(NamedTuple):
    """The calls of one error that count."""

    own: Stack
    """The app's own frames, or those that stand in for them."""
    key: str
    """The same frames as text of the key."""


class ChainedError(NamedTuple):
    """One error of a chain, as it counts."""

    error: Error
    type: str
    template: Template
    """The error's message without data."""
    calls: Calls

    @property
    def part(self) -> str:
        """Type, message and calls as one text of the key."""
        return f"{self.type}\x1e{self.template.key}{self.calls.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What a report consists of. Without a stack trace `chain` is empty; with one, `message` and `location` are."""

    trace: Trace | None = None
    calls: tuple[Calls, ...] = ()
    """What counts of the calls of each error of `trace`."""
    chain: tuple[ChainedError, ...] = ()
    """The errors of the trace that count, oldest cause first."""
    message: Template = _NO_TEMPLATE
    """The log message without data."""
    words: tuple[str, ...] = ()
    """What counts of the message: its template; where no word is left of it, also the names of its fields."""
    location: tuple[str, str, str] = ("", "", "")
    """File, function and logger, as far as the mail names them."""

    @property
    def parts(self) -> tuple[str, ...]:
        """All that counts, in the order in which the key has it."""
        if not self.chain:
            return ("message", *self.location, *self.words)
        chain = dict.fromkeys(error.part for error in self.chain if not error.error.member)
        members = {error.part for error in self.chain if error.error.member}
        return ("trace", *chain, *sorted(members))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of the chain."""
        return tuple(frame for error in self.chain for frame in error.error.frames)


def components(report: Report) -> Components:
    """The components of `report`. Any report has some."""
    trace = find(report.trace) if report.trace else None
    return _of_trace(trace, report.app_package) if trace else _of_message(report)


# --- With a stack trace -----------------------------------------------------------------------------------------------


def _of_trace(trace: Trace, app_package: str) -> Components:
    calls = _calls(tuple(error.frames for error in trace.errors), app_package)
    pairs = list(zip(trace.errors, calls, strict=True))[-MAX_CHAIN:]
    chain = tuple(_chained(trace, error, own) for error, own in pairs)
    return Components(trace=trace, calls=calls, chain=chain)


def _chained(trace: Trace, error: Error, calls: Calls) -> ChainedError:
    type_, message = error.type, error.message[:MAX_EXCEPTION_TEXT]
    if trace.language == python.NAME:
        type_, message = normalize_wording(type_, message)
    return ChainedError(error, type_, parameterize(message), calls)


def _calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    """What counts of each error's calls; cached, since a repeated error has the very same stacks."""
    few = sum(map(len, stacks)) <= MAX_CACHED_FRAMES
    return _cached_calls(stacks, app_package) if few else _all_calls(stacks, app_package)


@lru_cache(maxsize=MAX_CACHED_CHAINS)
def _cached_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    return _all_calls(stacks, app_package)


def _all_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    owns = relevant_frames_of(stacks, app_package)
    return tuple(Calls(own, "".join(f"\x1e{frame.place}" for frame in own)) for own in owns)


# --- Without one ------------------------------------------------------------------------------------------------------


def _of_message(report: Report) -> Components:
    message = parameterize(report.template or report.message or report.subject)
    return Components(message=message, words=_words(report, message), location=_location(report))


def _words(report: Report, message: Template) -> tuple[str, ...]:
    return (message.key,) if _LETTERS.search(message.key) else (message.key, *_field_names(report.message))


def _field_names(message: str) -> list[str]:
    """What is left of a message that is one structure of data: the names of its fields."""
    return sorted(set(_FIELD_NAME.findall(message[:MAX_EXCEPTION_TEXT])))


def _location(report: Report) -> tuple[str, str, str]:
    """File, function and logger.

    Our client names the logger in a header, which stock handlers do not send. Where the file is known, the logger of
    our client is left out, so that both handlers give one key.
    """
    path, _, line = report.location.rpartition(":")
    path = path if line.isdigit() and path else report.location
    logger = "" if path and report.form is Form.CLIENT else report.logger
    return (python_place(path).file if path else report.module, report.function, logger)
