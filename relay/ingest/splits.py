"""The split rules of the ledger for the ingest step: read again when they change (ledger → ingest).

Guarantee: a rule is applied within `READ_EVERY` after it was made, by every worker that shares the ledger.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from relay.grouping.rules import Rules
from relay.grouping.splits import Split, Splits
from relay.grouping.versions import Versions
from relay.ledger import Ledger
from relay.model import Fingerprint, Report

READ_EVERY = timedelta(seconds=1)


class LedgerSplits:
    """The split rules, as the ledger has them."""

    def __init__(self, ledger: Ledger, rules: Rules, versions: Versions) -> None:
        self._ledger = ledger
        self._rules = rules
        self._versions = versions
        self._read_at: datetime | None = None
        self._splits = Splits((), rules, versions)
        self._any = False

    def refresh(self, now: datetime) -> None:
        """Read the rules if that was not done lately. Raises LedgerBusy, LedgerError."""
        if self._read_at is not None and timedelta() <= now - self._read_at < READ_EVERY:
            return
        found = self._ledger.splits()
        self._read_at, self._any = now, bool(found)
        self._splits = Splits(found, self._rules, self._versions)

    def judge(self, report: Report, found: Fingerprint) -> Split:
        """Split a fingerprint as the rules say."""
        return self._splits.judge(report, found) if self._any else Split(found, None)
