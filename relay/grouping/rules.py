"""The administrator's rules for grouping, `[[rule]]` in the configuration (fingerprint → rules → routing).

Pure. The first rule whose conditions all match decides. Without one, the fingerprint is unchanged.

    join     all matching reports are one error, with the name of the rule as title
    split    one error becomes several, by a field of the report
    ignore   matching reports are counted as ignored and never reported

Conditions are shell globs that ignore case, as with routes. The rule that decided is the last of the fingerprint's
steps, so `relay explain` shows it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from relay.model import Action, Fingerprint, GroupingRule, Report, SplitBy


class Judgement(NamedTuple):
    """The result of the rules for one report: its fingerprint, and whether it is ignored."""

    fingerprint: Fingerprint
    ignored: bool


class _Compiled(NamedTuple):
    rule: GroupingRule
    conditions: tuple[tuple[str, re.Pattern[str]], ...]

    def matches(self, texts: dict[str, str]) -> bool:
        return all(pattern.match(texts[name]) for name, pattern in self.conditions)


class Rules:
    """The rules in their order, compiled once."""

    def __init__(self, rules: Iterable[GroupingRule]) -> None:
        self._rules = [_Compiled(rule, tuple(_conditions(rule))) for rule in rules]

    def judge(self, report: Report, found: Fingerprint) -> Judgement:
        """Apply the first matching rule to `found`, the fingerprint of `report`."""
        if not self._rules:
            return Judgement(found, ignored=False)
        texts = {
            "app": report.app,
            "logger": report.logger,
            "title": found.title,
            "message": f"{report.message}\n{report.trace}",
        }
        rule = next((each.rule for each in self._rules if each.matches(texts)), None)
        if rule is None:
            return Judgement(found, ignored=False)
        return Judgement(_applied(rule, report, found), ignored=rule.action is Action.IGNORE)


def _conditions(rule: GroupingRule) -> Iterable[tuple[str, re.Pattern[str]]]:
    for name in ("app", "logger", "title", "message"):
        glob: str = getattr(rule, name)
        if glob != "*":
            yield name, re.compile(fnmatch.translate(glob), re.IGNORECASE)


def _applied(rule: GroupingRule, report: Report, found: Fingerprint) -> Fingerprint:
    if rule.action is Action.IGNORE:
        return replace(found, steps=(*found.steps, f"rule {rule.name!r}: ignored"))
    if rule.action is Action.JOIN or rule.by is None:
        step = f"rule {rule.name!r}: joined with everything that it matches"
        return replace(found, key=_key("join", rule.name), title=rule.name, steps=(*found.steps, step))
    value = report.level.name if rule.by is SplitBy.LEVEL else str(getattr(report, rule.by.value))
    step = f"rule {rule.name!r}: split by {rule.by.value}, here {value[:80]!r}"
    return replace(found, key=_key("split", found.key, rule.by.value, value), steps=(*found.steps, step))


def _key(*parts: str) -> str:
    """Make a key in the format of a fingerprint's key. No fingerprint has the same key."""
    return hashlib.sha256("\x1f".join(("rule", *parts)).encode("utf-8", "replace")).hexdigest()[:32]
