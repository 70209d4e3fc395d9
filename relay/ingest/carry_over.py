"""Carry groups of an earlier fingerprint version over to the current one (ingest → ledger).

Guarantee: a change of version alone makes no news. An error without a group is looked up under the keys of former
versions. It takes over the group that is found: id, history, pending mails, mute and episode. If several former groups
are one error now, the oldest of those that a batch matches is carried over; the others end like any error that is not
seen any more. If a former group is several errors now, the first one that comes takes it over. The others are opened
from its state, so that they are reported when it would have been.

Cost: nothing while the ledger holds no group of a former version; else one query for each batch, and the former
fingerprints of only those errors that have no group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import structlog

from relay.grouping.rules import Rules
from relay.grouping.versions import FingerprintMethod, Versions
from relay.ledger import GroupClaim, Ledger
from relay.model import Fingerprint, Group, GroupKey, Report

log = structlog.get_logger()

KeyedMail = tuple[GroupKey, Report, Fingerprint]
"""A mail: its key, its report, and its fingerprint of the current version."""


class CarryOver:
    """Carry former groups over before the ingest step writes a batch."""

    def __init__(self, ledger: Ledger, rules: Rules, versions: Versions) -> None:
        self._ledger = ledger
        self._rules = rules
        self._versions = versions
        self._former: Sequence[FingerprintMethod] | None = None if versions.former else ()

    def carry_over(self, mails: Iterable[KeyedMail]) -> dict[GroupKey, Group]:
        """Carry former groups over to the keys of these mails, in a separate transaction. Idempotent.

        Returns the former group of each error whose former group another error has taken over. Such an error is opened
        from the state of that group (`schedule.split_off`). Raises LedgerBusy, LedgerError.
        """
        if not self._in_use():
            return {}
        mails_by_key: dict[GroupKey, list[KeyedMail]] = defaultdict(list)
        for mail in mails:
            mails_by_key[mail[0]].append(mail)
        known = self._ledger.versions_of(mails_by_key)
        unclaimed = {key: mails for key, mails in mails_by_key.items() if known.get(key) != self._versions.number}
        claims = {key: self._claim(mails, exists=key in known) for key, mails in unclaimed.items()}
        return self._ledger.carry_over(claims) if claims else {}

    def _in_use(self) -> Sequence[FingerprintMethod]:
        """Return the former versions that the ledger holds a group of, or a carried-over one. Queried once."""
        if self._former is None:
            stored = self._ledger.versions()
            self._former = [method for version, method in self._versions.former.items() if version in stored]
        return self._former

    def _claim(self, mails: Sequence[KeyedMail], *, exists: bool) -> GroupClaim:
        former = () if exists else dict.fromkeys(self._former_keys(mails))
        return GroupClaim(fingerprint=mails[-1][2], former=tuple(former))

    def _former_keys(self, mails: Iterable[KeyedMail]) -> Iterable[GroupKey]:
        for (route, app, _), report, _ in mails:
            for method in self._in_use():
                try:
                    yield (route, app, self._rules.judge(report, method(report)).fingerprint.key)
                except Exception:  # a bug of an old version makes a new error; it must not park the mail
                    log.exception("a former fingerprint could not be computed")
