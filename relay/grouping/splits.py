"""Errors that a person split by a field of their mails, `relay split` (fingerprint → rules → splits → routing).

Pure. The rules are in the ledger, so they hold on every machine. The parts of a split error have keys made of the
fingerprint that the rule names, so they stay the same under later fingerprint versions. A report is matched under the
version of the rule, as long as this release can compute that version.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from relay.grouping.fingerprint import MAX_TITLE
from relay.grouping.rules import Rules, split_key, value_of
from relay.grouping.versions import Versions
from relay.model import Fingerprint, Report, SplitRule
from relay.text import cut, one_line


class Split(NamedTuple):
    """A fingerprint after the splits, and the rule that split it."""

    fingerprint: Fingerprint
    rule: SplitRule | None


MAX_DEPTH = 5
"""How often the parts of a split error can be split again."""


class Splits:
    """The split rules, by the errors that they split. An error has at most one."""

    def __init__(self, found: Collection[SplitRule], rules: Rules, versions: Versions) -> None:
        self._rules = rules
        self._versions = versions
        self._by_error = {(rule.app, rule.fingerprint): rule for rule in found}
        self._former = {(rule.app, rule.version) for rule in found if rule.version in versions.former}
        """The apps with rules of a former version, and these versions."""

    def judge(self, report: Report, found: Fingerprint) -> Split:
        """Split `found`, the fingerprint of `report` after the rules of the configuration."""
        rule = self._by_error.get((report.app, found.key)) or self._formerly(report)
        split = Split(found, None)
        for _ in range(MAX_DEPTH):
            if rule is None:
                break
            split = Split(_part(report, split.fingerprint, rule), rule)
            rule = self._by_error.get((report.app, split.fingerprint.key))
        return split

    def _formerly(self, report: Report) -> SplitRule | None:
        """Return the rule that names the fingerprint of the report under a former version."""
        named = replace(report, app=report.former_app or report.app)
        for app, version in sorted(self._former):
            if app == named.app:
                former = self._rules.judge(named, self._versions.former[version](named)).fingerprint.key
                if rule := self._by_error.get((app, former)):
                    return rule
        return None


def _part(report: Report, found: Fingerprint, rule: SplitRule) -> Fingerprint:
    """Return the fingerprint of the part of a split error that has the report's value in the rule's field."""
    value = value_of(report, rule.field)
    why = f": {rule.reason}" if rule.reason else ""
    step = f"split by {rule.field}, here {value[:80]!r}, by {rule.author} (error {rule.group_id}){why}"
    title = cut(f"{found.title} ({rule.field} {one_line(value, 60)})", MAX_TITLE) if value else found.title
    return replace(found, key=split_key(rule.fingerprint, rule.field, value), title=title, steps=(*found.steps, step))
