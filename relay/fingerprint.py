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
import json
from collections.abc import Iterable, Iterator
from typing import Any

from relay.model import Fingerprint, Report
from relay.parse import parse_text
from relay.placeholders import Template, parameterise
from relay.redact import redact
from relay.traces import Error, Frame, Trace, counted, find
from relay.traces.paths import app_file

VERSION = 1

MAX_TITLE = 120
MAX_STEPS = 40


def fingerprint(report: Report) -> Fingerprint:
    """The error that `report` is about. Any report gives one; equal reports give equal ones."""
    trace = find(report.trace) if report.trace else None
    if trace:
        return _of_trace(trace)
    return _of_message(report)


def _fingerprint(parts: list[str], title: str, steps: list[str]) -> Fingerprint:
    digest = hashlib.sha256("\x1f".join((str(VERSION), *parts)).encode("utf-8", "replace"))
    return Fingerprint(version=VERSION, key=digest.hexdigest()[:32], title=title, steps=tuple(steps[:MAX_STEPS]))


# --- With a stack trace -----------------------------------------------------------------------------------------------


def _of_trace(trace: Trace) -> Fingerprint:
    frames = counted(trace)
    steps = [f"{trace.language} trace, {_plural(len(trace.errors), 'error')} in its chain"]
    chain: list[str] = []
    members: set[str] = set()
    for error, own in zip(trace.errors, frames, strict=True):
        template = parameterise(error.message)
        part = "\x1e".join((error.type, template.key, *(frame.place for frame in own)))
        if error.member:
            members.add(part)
        elif part not in chain:
            chain.append(part)
        steps += _told(error, template, own)
    return _fingerprint(["trace", *chain, *sorted(members)], _trace_title(trace, frames), steps)


def _told(error: Error, template: Template, own: tuple[Frame, ...]) -> Iterator[str]:
    left_out = len(error.frames) - len(own)
    yield f"exception type: {error.type or 'not told'}"
    yield from _replaced(template)
    for frame in own[-10:]:
        yield f"counts: {_short(frame.place, 200)}"
    if left_out > 0:
        yield f"does not count: {_plural(left_out, 'frame')} of libraries or repeated"


def _trace_title(trace: Trace, frames: tuple[tuple[Frame, ...], ...]) -> str:
    error = trace.errors[-1]
    type_ = error.type.rpartition(".")[2].rpartition("::")[2]
    own = frames[-1] or next((some for some in reversed(frames) if some), ())
    where = f" in {own[-1].function}" if own and own[-1].function else ""
    return _line(f"{type_ or 'Error'}{where}")


# --- Without one ------------------------------------------------------------------------------------------------------


def _of_message(report: Report) -> Fingerprint:
    template = parameterise(report.message or report.subject)
    site = _site(report)
    steps = ["no stack trace: the message and the place that logged it count"]
    steps += [f"logged by: {_short(' '.join(filter(None, site)), 200)}"] if any(site) else []
    steps += _replaced(template)
    first = next((line for line in template.text.split("\n") if line.strip()), "")
    return _fingerprint(["message", *site, template.key], _line(first) or "empty message", steps)


def _site(report: Report) -> tuple[str, str, str]:
    """File, function and logger, as far as the mail names them."""
    path, _, line = report.location.rpartition(":")
    path = path if line.isdigit() and path else report.location
    return (app_file(path) if path else report.module, report.function, report.logger)


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


# --- Many at once -----------------------------------------------------------------------------------------------------


def fingerprint_lines(lines: Iterable[str]) -> Iterator[str]:
    """JSON lines `{id, subject, body}` to JSON lines `{id, fingerprint}`, one for each that is not blank.

    Raises ValueError, naming the line's number, for one that is no such object.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield json.dumps(_fingerprint_of_line(line, number))


def _fingerprint_of_line(line: str, number: int) -> dict[str, Any]:
    try:
        mail = json.loads(line)
        report = parse_text(str(mail.get("subject") or ""), str(mail.get("body") or ""))
        return {"id": mail["id"], "fingerprint": fingerprint(redact(report)).key}
    except (ValueError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON object with id, subject and body") from error
