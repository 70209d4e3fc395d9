"""Mask the secrets of a report before it is stored or sent anywhere (parse → redact → fingerprint).

Guarantee: a secret that is found once is masked as `[masked]` everywhere in that report. Names from code (files and
functions in frames, the location that logged) stay. So masking never changes which error a report belongs to: masked
values are data, and data is not part of the fingerprint. Time is linear in the text.

    search              finds the secrets of one text, with these finders:
    keywords            by the name before the value (with `names`, `values`, `headers`)
    urls_and_commands   by position: URLs, DSNs, command lines, tags
    sql, rows           SQL statements and their parameters, rows quoted by a database
    token_formats       by format: API keys, tokens, PEM blocks
    cards               payment cards
    custom              patterns of the configuration
    excerpts            the message of a longer text, by the places in the text
    repeats             the same values elsewhere in the mail
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from relay import traces
from relay.model import Redaction, Report
from relay.redact.cards import FRAME
from relay.redact.custom import Patterns
from relay.redact.excerpts import secrets_of_excerpt
from relay.redact.names import Names
from relay.redact.repeats import Repeats
from relay.redact.search import find_secrets, has_no_secrets
from relay.redact.secret import MASK, Secret, masked

__all__ = ["MASK", "Redactor", "redact"]

_TEXTS = (
    "app",
    "former_app",
    "subject",
    "situation_reason",
    "message",
    "template",
    "thread",
    "headline",
    "reason",
    "text",
)
"""Fields that hold data: repeated secrets are masked in them. Trace, request and names are handled separately."""
_EXCERPTS = ("message", "headline")
"""Fields that are parts of the field `text`, if there is one. So is the trace."""
_NAMES = ("logger", "environment", "host", "release", "process")
"""Fields that hold a name: only distinctive repeated secrets are masked, so a common word stays."""
_CODE = ("location", "module", "function", "time")
"""Fields from code: only secrets found in the field itself are masked, never repeats from elsewhere."""
_FIELDS = (*_TEXTS, *_NAMES, *_CODE)
_values_of = attrgetter(*_FIELDS)


class Redactor:
    """Masks secrets as the configuration (`[redact]`) says."""

    def __init__(self, options: Redaction | None = None) -> None:
        """None means the default options. Raises ValueError for a pattern that cannot be used."""
        self._enabled = options is None or options.enabled
        self._names = Names(options.names if options else ())
        self._patterns = Patterns(options.patterns if options else ())

    def redact(self, report: Report) -> Report:
        """Return `report` with its secrets masked; the same object if it has none."""
        return self._redact(report, report.text, None)

    def redact_all(self, reports: Sequence[Report]) -> list[Report]:
        """Return the reports of one mail with their secrets masked. All are parts of the text of the first one."""
        if len(reports) == 1:
            return [self.redact(reports[0])]
        whole = reports[0].text
        in_whole = self._secrets(whole) if self._enabled else []
        return [self._redact(report, whole, in_whole) for report in reports]

    def _redact(self, report: Report, whole: str, in_whole: list[Secret] | None) -> Report:
        """Mask the secrets of `report`, which is a part of the text `whole`; `in_whole` are its secrets, if known."""
        if not self._enabled:
            return report
        values, pairs = _values_of(report), _pairs_of(report)
        unsuspicious = not self._patterns and not in_whole
        if unsuspicious and has_no_secrets([*values, *pairs], report.trace, self._names):
            return report
        fields = dict(zip(_FIELDS, values, strict=True))
        found = {name: self._secrets(text) for name, text in fields.items()}
        in_pairs = [self._secrets(pair) for pair in pairs]
        in_trace = self._secrets(report.trace)
        in_whole = found["text"] if in_whole is None else in_whole
        for name in _EXCERPTS:
            found[name] += secrets_of_excerpt(fields[name], whole, in_whole)
        in_trace += secrets_of_excerpt(report.trace, whole, in_whole)
        everything = [*found.values(), *in_pairs, in_trace, in_whole]
        if not any(everything):
            return report
        repeats = Repeats(secret.repeat for each in everything for secret in each)
        done = {name: masked(text, found[name]) for name, text in fields.items()}
        changed: dict[str, Any] = {name: repeats.mask_in(done[name]) for name in _TEXTS}
        changed |= {name: repeats.mask_in_name(done[name]) for name in _NAMES}
        changed |= {name: done[name] for name in _CODE}
        masked_pairs = [repeats.mask_in(masked(pair, each)) for pair, each in zip(pairs, in_pairs, strict=True)]
        changed |= _unpaired(report, masked_pairs)
        changed["trace"] = _mask_in_trace(masked(report.trace, in_trace), repeats)
        return replace(report, **changed)

    def _secrets(self, text: str) -> list[Secret]:
        if not text:
            return []
        found = find_secrets(text, self._names)
        return [*found, *self._patterns.find(text)] if self._patterns else found


_DEFAULT = Redactor()


def redact(report: Report) -> Report:
    """Return `report` with its secrets masked by the default options; the same object if it has none."""
    return _DEFAULT.redact(report)


def _pairs_of(report: Report) -> list[str]:
    """Return the values of `request`, and those of `names` with their labels, which can name a secret."""
    return [*(value for _, value in report.request), *(f"{label}: {value}" for label, value in report.names)]


def _unpaired(report: Report, values: list[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return `request` and `names` with the masked `values`, which are in the order of `_pairs_of`."""
    request = tuple((label, value) for (label, _), value in zip(report.request, values, strict=False))
    names = zip(report.names, values[len(request) :], strict=True)
    return {
        "request": request,
        "names": tuple((label, value.removeprefix(f"{label}: ")) for (label, _), value in names),
    }


def _mask_in_trace(trace: str, repeats: Repeats) -> str:
    if not repeats.occur_in(trace):
        return trace
    found = traces.find(trace)
    types = tuple({error.type for error in found.errors if error.type}) if found else ()
    return "\n".join(_mask_in_line(line, types, repeats) for line in trace.split("\n"))


def _mask_in_line(line: str, types: tuple[str, ...], repeats: Repeats) -> str:
    """Mask repeats in one line of a trace. Frames and exception types stay: they come from code."""
    if FRAME.match(line):
        return line
    content = line.lstrip(" \t|")
    kept = len(line) - len(content)
    if types and content.startswith(types):
        kept += len(content.partition(":")[0])
    return line[:kept] + repeats.mask_in(line[kept:])
