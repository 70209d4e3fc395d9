"""The fingerprint of a report: reports with equal keys are the same error (parse → redact → fingerprint).

Guarantee: it depends on the report alone, without training or state. Every machine gives the same answer, before and
after a restart. The key is a hash of the `components`. A change to how they are computed needs a new `VERSION`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

from relay.grouping.components import ChainedError, Components, components
from relay.memo import memoized
from relay.model import Fingerprint, Report
from relay.parameterize.template import Template
from relay.traces import Frame, Trace

VERSION = 2

MAX_TITLE = 120
"""Characters of a title."""
MAX_STEPS = 40
"""Sentences of an explanation."""


def fingerprint(report: Report, *, steps: bool = False) -> Fingerprint:
    """Return the fingerprint of `report`; with `steps`, also the sentences that explain its key.

    Every report has one, and equal reports have equal ones.
    """
    found = components(report)
    explained = tuple(islice(_steps(found), MAX_STEPS)) if steps else ()
    return Fingerprint(version=VERSION, key=key_of(VERSION, found.parts), title=title_of(found), steps=explained)


def key_of(version: int, parts: Iterable[str]) -> str:
    """Return the key of these components under a version: 32 hex digits."""
    return _key("\x1f".join((str(version), *parts)))


@memoized(size=400_000, largest=10_000)
def _key(parts: str) -> str:
    """The hash of the joined parts: 32 hex digits. Memoized, since a repeated error has the same parts."""
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:32]


def _steps(found: Components) -> Iterator[str]:
    return _trace_steps(found.trace, found.chain) if found.trace else _message_steps(found)


# --- The title --------------------------------------------------------------------------------------------------------


def title_of(found: Components) -> str:
    """Return the title of an error: one line of at most `MAX_TITLE` characters."""
    if found.trace:
        return _trace_title(found)
    first = found.headline or next((line for line in found.message.text.split("\n") if line.strip()), "")
    thing = next((value for value in found.things if value.lower() not in first.lower()), "")
    return _line(f"{thing}: {first}" if thing and first else first) or "empty message"


def _trace_title(found: Components) -> str:
    """`ZeroDivisionError in checkout: division by zero`: type, nearest function of the app, and message."""
    errors = [each for each in found.chain if not each.error.member] or [found.chain[-1]]
    while len(errors) > 1 and _short_type(errors[-1]) in _WRAPPERS:
        errors.pop()
    members = [each for each in found.chain if each.error.member]
    if _short_type(errors[-1]).endswith("ExceptionGroup") and len({each.part for each in members}) == 1:
        errors = members
    type_ = _short_type(errors[-1]) or "Error"
    own = next((each.calls.own for each in reversed(errors) if each.calls.own), ())
    name = f"{type_} in {_called(own[-1])}" if own else type_
    message = errors[-1].template.text
    return _line(f"{name}: {message}" if message else name)


_WRAPPERS = frozenset(
    [
        "HttpUnhandledException",
        "TargetInvocationException",
        "AggregateException",
        "TypeInitializationException",
        "InvocationTargetException",
        "UndeclaredThrowableException",
        "ExecutionException",
        "CompletionException",
        "NestedServletException",
        "ServletException",
        "ExceptionInInitializerError",
        "MethodInvocationException",
    ]
)
"""Exceptions that only carry another one. The title names that one."""


def _short_type(each: ChainedError) -> str:
    return each.error.type.rpartition(".")[2].rpartition("::")[2].rpartition("$")[2]


def _called(frame: Frame) -> str:
    """The function; the file name for a frame without one, such as `<module>` or `<anonymous>`."""
    named = frame.function and not frame.function.startswith("<")
    return frame.function if named else frame.file.rpartition("/")[2]


# --- The explanation --------------------------------------------------------------------------------------------------


def _trace_steps(trace: Trace, chain: Iterable[ChainedError]) -> Iterator[str]:
    yield f"{trace.language} trace, {_plural(len(trace.errors), 'error')} in its chain"
    for error, _, template, calls in chain:
        yield f"exception type: {error.type or 'unknown'}"
        yield from _replaced(template)
        if error.message and not template.text:
            yield "message: does not count, since its wording depends on the version of Python"
        for frame in calls.own[-10:]:
            yield f"counts: {_short(frame.place, 200)}"
        left_out = len(error.frames) - len(calls.own)
        if left_out > 0:
            yield f"does not count: {_plural(left_out, 'frame')} (of libraries, or repeated)"


def _message_steps(found: Components) -> Iterator[str]:
    yield "no stack trace: the message and the location that logged it count"
    if any(found.location):
        yield f"logged by: {_short(' '.join(filter(None, found.location)), 200)}"
    yield from _replaced(found.message)
    for name in found.names:
        yield f"counts: {_short(name, 200)}"


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
