"""Which error does a report tell of? Equal keys mean the same error.

The last of the pure steps (parse → redact → fingerprint). It needs nothing but the report: no
training, no state, so every machine gives the same answer, before and after a restart. A
change of the rules below is a new `VERSION`.

With a stack trace the key is made of the chain of exception types, their messages without
data, and the app's own functions on the way (files and names, no line numbers). Without one
it is made of where the message was logged, as far as the mail says, and of the message
without data. Never of: time, host, process, app, subject, line numbers, install folders.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from relay.memo import kept
from relay.model import Fingerprint, Form, Report
from relay.parameterize.template import Template, parameterise
from relay.traces import Error, Frame, Stack, Trace, counted_in, find, python
from relay.traces.paths import python_place
from relay.traces.python_wording import timeless

VERSION = 1

MAX_TITLE = 120
MAX_STEPS = 40
MAX_CHAIN = 20
"""Errors of a chain that count: the ones nearest to what was reported."""
MAX_EXCEPTION_TEXT = 2_000


def fingerprint(report: Report, *, steps: bool = False) -> Fingerprint:
    """The error that `report` is about, with `steps` also how that came about.

    Any report gives one; equal reports give equal ones.
    """
    trace = find(report.trace) if report.trace else None
    if trace:
        return _of_trace(trace, report.app_package, steps=steps)
    return _of_message(report, steps=steps)


def _fingerprint(parts: Iterable[str], title: str, steps: Iterable[str]) -> Fingerprint:
    key = _key("\x1f".join((str(VERSION), *parts)))
    return Fingerprint(version=VERSION, key=key, title=title, steps=tuple(islice(steps, MAX_STEPS)))


@kept(size=400_000, largest=10_000)
def _key(parts: str) -> str:
    """Kept, since the parts of a repeated error are the same ones."""
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:32]


# --- With a stack trace -----------------------------------------------------------------------------------------------


class Calls(NamedTuple):
    """What counts of an error's calls, and these places as the key has them."""

    own: Stack
    places: str


class Link(NamedTuple):
    """One error of a chain, as it counts."""

    error: Error
    type: str
    template: Template
    calls: Calls

    @property
    def part(self) -> str:
        """Type, message and calls as one text of the key."""
        return f"{self.type}\x1e{self.template.key}{self.calls.places}"


def chain_of(report: Report) -> list[Link]:
    """The errors in the report's trace as they count, oldest cause first; [] where there is no trace."""
    trace = find(report.trace) if report.trace else None
    return _links(trace, _calls(tuple(error.frames for error in trace.errors), report.app_package)) if trace else []


def _of_trace(trace: Trace, app_package: str, *, steps: bool) -> Fingerprint:
    calls = _calls(tuple(error.frames for error in trace.errors), app_package)
    links = _links(trace, calls)
    chain = dict.fromkeys(link.part for link in links if not link.error.member)
    members = {link.part for link in links if link.error.member}
    return _fingerprint(
        ("trace", *chain, *sorted(members)), _trace_title(trace, calls), _trace_steps(trace, links) if steps else ()
    )


def _links(trace: Trace, calls: tuple[Calls, ...]) -> list[Link]:
    return [_link(trace, error, own) for error, own in list(zip(trace.errors, calls, strict=True))[-MAX_CHAIN:]]


def _link(trace: Trace, error: Error, calls: Calls) -> Link:
    type_, message = error.type, error.message[:MAX_EXCEPTION_TEXT]
    if trace.language == python.NAME:
        type_, message = timeless(type_, message)
    return Link(error, type_, parameterise(message), calls)


MAX_KEPT_FRAMES = 200
"""Frames of a chain whose own calls are kept in memory; with the number of chains this bounds it."""
MAX_KEPT_CHAINS = 256


def _calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    """What counts of each error's calls; kept, since a repeated error has the very same ones."""
    few = sum(map(len, stacks)) <= MAX_KEPT_FRAMES
    return _kept_calls(stacks, app_package) if few else _all_calls(stacks, app_package)


@lru_cache(maxsize=MAX_KEPT_CHAINS)
def _kept_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    return _all_calls(stacks, app_package)


def _all_calls(stacks: tuple[Stack, ...], app_package: str) -> tuple[Calls, ...]:
    owns = counted_in(stacks, app_package)
    return tuple(Calls(own, "".join(f"\x1e{frame.place}" for frame in own)) for own in owns)


def _trace_steps(trace: Trace, links: Iterable[Link]) -> Iterator[str]:
    yield f"{trace.language} trace, {_plural(len(trace.errors), 'error')} in its chain"
    for error, _, template, calls in links:
        yield f"exception type: {error.type or 'not told'}"
        yield from _replaced(template)
        if error.message and not template.text:
            yield "message: does not count, since each version of Python words it in its own way"
        for frame in calls.own[-10:]:
            yield f"counts: {_short(frame.place, 200)}"
        left_out = len(error.frames) - len(calls.own)
        if left_out > 0:
            yield f"does not count: {_plural(left_out, 'frame')} of libraries or repeated"


def _trace_title(trace: Trace, calls: tuple[Calls, ...]) -> str:
    """`ZeroDivisionError in checkout`: what was reported, and the app's function nearest to it."""
    pairs = [pair for pair in zip(trace.errors, calls, strict=True) if not pair[0].member]
    pairs = pairs or [(trace.errors[-1], calls[-1])]
    type_ = pairs[-1][0].type.rpartition(".")[2].rpartition("::")[2].rpartition("$")[2]
    own = next((own for _, (own, _) in reversed(pairs) if own), ())
    return _line(f"{type_ or 'Error'} in {_called(own[-1])}" if own else type_ or "Error")


def _called(frame: Frame) -> str:
    """The function, or the file where it has no name of its own, as `<module>` and `<anonymous>`."""
    named = frame.function and not frame.function.startswith("<")
    return frame.function if named else frame.file.rpartition("/")[2]


# --- Without one ------------------------------------------------------------------------------------------------------


def _of_message(report: Report, *, steps: bool) -> Fingerprint:
    template = said_by(report)
    site = site_of(report)
    first = next((line for line in template.text.split("\n") if line.strip()), "")
    told = _message_steps(site, template) if steps else ()
    return _fingerprint(("message", *site, *words_of(report, template)), _line(first) or "empty message", told)


def said_by(report: Report) -> Template:
    """The message of a report without a trace, without its data."""
    return parameterise(report.template or report.message or report.subject)


def _message_steps(site: tuple[str, ...], template: Template) -> Iterator[str]:
    yield "no stack trace: the message and the place that logged it count"
    if any(site):
        yield f"logged by: {_short(' '.join(filter(None, site)), 200)}"
    yield from _replaced(template)


_LETTERS = re.compile(r"[^\W\d_]")
_FIELD_NAME = re.compile(r"[\"']([A-Za-z_][\w.-]{0,40})[\"'] ?:")


def words_of(report: Report, said: Template) -> tuple[str, ...]:
    """What counts of a message without its data: `said`, and where no word is left of it the names of its fields."""
    return (said.key,) if _LETTERS.search(said.key) else (said.key, *_field_names(report.message))


def _field_names(message: str) -> list[str]:
    """What is left of a message that is one structure of data: the names of its fields."""
    return sorted(set(_FIELD_NAME.findall(message[:MAX_EXCEPTION_TEXT])))


def site_of(report: Report) -> tuple[str, str, str]:
    """File, function and logger, as far as the mail names them.

    Our client names the logger in a header, which stock handlers do not send: where the place is known it does without.
    """
    path, _, line = report.location.rpartition(":")
    path = path if line.isdigit() and path else report.location
    logger = "" if path and report.form is Form.CLIENT else report.logger
    return (python_place(path).file if path else report.module, report.function, logger)


def _replaced(template: Template) -> Iterator[str]:
    if template.text:
        yield f"message: {_short(template.text, 300)}"
    for kind, value in template.found[:10]:
        yield f"replaced as {kind}: {_short(value, 100)}"


def _line(text: str) -> str:
    return _short(" ".join(text.split()), MAX_TITLE)


def _short(text: str, limit: int) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
