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

from relay.model import Action, Fingerprint, GroupingRule, Report, SplitBy, word_number


class Judgement(NamedTuple):
    """The result of the rules for one report: its fingerprint, and whether it is ignored."""

    fingerprint: Fingerprint
    ignored: bool


class _Compiled(NamedTuple):
    rule: GroupingRule
    conditions: tuple[tuple[str, re.Pattern[str]], ...]

    def matches(self, texts: dict[str, str], key: str) -> bool:
        if self.rule.fingerprint and key not in self.rule.fingerprint:
            return False
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
        rule = next((each.rule for each in self._rules if each.matches(texts, found.key)), None)
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
    value = value_of(report, rule.by)
    step = f"rule {rule.name!r}: split by {rule.by}, here {value[:80]!r}"
    return replace(found, key=split_key(found.key, rule.by, value), steps=(*found.steps, step))


def value_of(report: Report, field: str) -> str:
    """Return the value of a field to split by (`model.split_field`); "" if the report does not have it."""
    if number := word_number(field):
        words = report.message.split(maxsplit=number)
        return words[number - 1] if len(words) >= number else ""
    facts = dict(report.request)
    match field:
        case SplitBy.LEVEL:
            return report.level.name
        case SplitBy.ENDPOINT:
            return facts.get("Endpoint", "")
        case SplitBy.PATH:
            return _path(facts.get("Request", ""))
        case _:
            return str(getattr(report, field))


def _path(request: str) -> str:
    """Return the path of a request: `/cart` for `GET https://shop.example/cart?item=3`."""
    address = next((word for word in request.split() if "/" in word), "")
    return re.sub(r"^\w+://[^/]*", "", address).partition("?")[0]


def split_key(key: str, field: str, value: str) -> str:
    """Return the key of the part of an error that has this value in the field by which it is split."""
    return _key("split", key, field, value)


def _key(*parts: str) -> str:
    """Make a key in the format of a fingerprint's key. No fingerprint has the same key."""
    return hashlib.sha256("\x1f".join(("rule", *parts)).encode("utf-8", "replace")).hexdigest()[:32]
