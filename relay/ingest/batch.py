"""Fingerprint many texts at once, without spool or ledger (`relay fingerprint`, to measure the grouping).

Each text is processed like a mail: parse, redact, fingerprint. Its key depends only on that text. Its group also
depends on what was learned from the texts before it (`grouping.learning`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from relay.grouping.components import components
from relay.grouping.fingerprint import VERSION, key_of
from relay.grouping.learning import Place, Verdict
from relay.grouping.observation import Observation, observe
from relay.parse.report import parse_text
from relay.redact import redact

MAX_PLACES = 10_000
"""Places that are kept. The one that was seen longest ago is dropped."""


def fingerprint_lines(lines: Iterable[str]) -> Iterator[str]:
    """Convert JSON lines `{id, subject, body}` to JSON lines `{id, fingerprint}`; skip blank lines.

    Raises ValueError with the line number for a line that is not such an object.
    """
    for mail, key, _ in _read(lines):
        yield json.dumps({"id": mail, "fingerprint": key})


def learn_lines(lines: Iterable[str]) -> Iterator[str]:
    """Convert JSON lines `{id, subject, body}` to JSON lines `{id, fingerprint, group}` after all of them were read.

    `group` is the fingerprint of the group to which the mail belongs in the end. Raises ValueError as
    `fingerprint_lines` does.
    """
    learner = _Learner()
    mails = []
    for mail, key, seen in _read(lines):
        mails.append((mail, key))
        if seen:
            learner.learn(*seen)
    for mail, key in mails:
        yield json.dumps({"id": mail, "fingerprint": key, "group": learner.group_of(key)})


class _Learner:
    """Learns in the order of the texts, as the worker does, and remembers which keys were joined."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, bytes], Place] = {}
        self._joined: dict[str, str] = {}
        """The keys that were joined, each with the key that it was joined to."""

    def learn(self, app: str, seen: Observation) -> None:
        """Learn from one report. The app counts only where nothing else is known of the place."""
        where = (app if seen.vague else "", seen.place)
        place = self._places.pop(where, None) or Place()
        self._places[where] = place
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        self._remember(seen.key, place.learn(seen))

    def _remember(self, key: str, verdict: Verdict) -> None:
        if verdict.taken_back:
            self._joined = {one: other for one, other in self._joined.items() if other != verdict.taken_back}
            return
        for each in (key, *(verdict.joined.keys if verdict.joined else ())):
            if self.group_of(verdict.key) != each:  # what was learned, dropped and learned again makes no circle
                self._joined[each] = verdict.key

    def group_of(self, key: str) -> str:
        """Return the key of the group of an error."""
        while key in self._joined:
            key = self._joined[key]
        return key


def _read(lines: Iterable[str]) -> Iterator[tuple[Any, str, tuple[str, Observation] | None]]:
    """The id of each text, its key, and what can be learned from it."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _read_line(line, number)


def _read_line(line: str, number: int) -> tuple[Any, str, tuple[str, Observation] | None]:
    try:
        mail = json.loads(line)
        report = redact(parse_text(str(mail.get("subject") or ""), str(mail.get("body") or "")))
        found = components(report)
        key = key_of(VERSION, found.parts)
        seen = observe(report, found, key)
        return mail["id"], key, (report.app, seen) if seen else None
    except (ValueError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON object with id, subject and body") from error
