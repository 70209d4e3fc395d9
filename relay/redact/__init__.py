"""Secrets are masked before a report is kept or sent anywhere (parse → redact → fingerprint).

Guarantee: what is found once is masked wherever it stands in that report, as `[masked]`. Names
from code (files and functions in frames, the logging place) are left alone, so masking never
changes which error a report belongs to: a masked value is data, and data does not count there.
Time is linear in the text.

    search      all of a text: by their names (`labelled`, `values`, `headers`), by their place
                (`places`, `rows`), by their form (`forms`, `cards`), by the configuration (`custom`)
    echo        the same values elsewhere in the mail
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

from relay import traces
from relay.model import Redaction, Report
from relay.redact.cards import FRAME
from relay.redact.custom import Patterns
from relay.redact.names import Names
from relay.redact.repeats import Echoes
from relay.redact.search import nothing_in, secrets
from relay.redact.secret import MASK, Secret, masked

__all__ = ["MASK", "Redactor", "redact"]

_TEXTS = ("app", "subject", "situation_reason", "message", "template", "thread")
"""Fields of a report that hold data, besides the trace, whose code is left alone, and the facts of the request."""
_NAMES = ("logger", "environment", "host", "release", "process")
"""Fields that hold names: a word of one that is a password elsewhere stays."""


_CODE = ("location", "module", "function", "time")
"""Fields in which only what is a secret by itself is masked: a name from code is never taken for one."""
_FIELDS = (*_TEXTS, *_NAMES, *_CODE)
_values_of = attrgetter(*_FIELDS)


class Redactor:
    """Masks what the configuration asks for."""

    def __init__(self, options: Redaction | None = None) -> None:
        """Without `options` as by default. Raises ValueError for a pattern that cannot be used."""
        self._enabled = options is None or options.enabled
        self._names = Names(options.names if options else ())
        self._patterns = Patterns(options.patterns if options else ())

    def redact(self, report: Report) -> Report:
        """`report` with its secrets masked; the same object where there are none."""
        if not self._enabled:
            return report
        values, facts = _values_of(report), tuple(value for _, value in report.request)
        if not self._patterns and nothing_in([*values, *facts], report.trace, self._names):
            return report
        fields = dict(zip(_FIELDS, values, strict=True))
        found = {name: self._secrets(text) for name, text in fields.items()}
        in_facts = [self._secrets(value) for value in facts]
        in_trace = self._secrets(report.trace)
        everything = [*found.values(), *in_facts, in_trace]
        if not any(everything):
            return report
        echoes = Echoes(secret.echo for each in everything for secret in each)
        done = {name: masked(text, found[name]) for name, text in fields.items()}
        changed: dict[str, Any] = {name: echoes.masked_in(done[name]) for name in _TEXTS}
        changed |= {name: echoes.masked_in_name(done[name]) for name in _NAMES}
        changed |= {name: done[name] for name in _CODE}
        request = zip(report.request, in_facts, strict=True)
        changed["request"] = tuple((label, echoes.masked_in(masked(value, each))) for (label, value), each in request)
        changed["trace"] = _without(masked(report.trace, in_trace), echoes)
        return replace(report, **changed)

    def _secrets(self, text: str) -> list[Secret]:
        if not text:
            return []
        found = secrets(text, self._names)
        return [*found, *self._patterns.found(text)] if self._patterns else found


_DEFAULT = Redactor()


def redact(report: Report) -> Report:
    """`report` with its secrets masked as by default; the same object where there are none."""
    return _DEFAULT.redact(report)


def _without(trace: str, echoes: Echoes) -> str:
    if not echoes.stand_in(trace):
        return trace
    found = traces.find(trace)
    types = tuple({error.type for error in found.errors if error.type}) if found else ()
    return "\n".join(_without_in_line(line, types, echoes) for line in trace.split("\n"))


def _without_in_line(line: str, types: tuple[str, ...], echoes: Echoes) -> str:
    """Frames stay, and so does an exception's type: both come from code."""
    if FRAME.match(line):
        return line
    content = line.lstrip(" \t|")
    kept = len(line) - len(content)
    if types and content.startswith(types):
        kept += len(content.partition(":")[0])
    return line[:kept] + echoes.masked_in(line[kept:])
