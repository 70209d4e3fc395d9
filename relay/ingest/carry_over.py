"""Finds the groups that an earlier version of the fingerprint made, and carries them over (sort → ledger).

Guarantee: a change of version alone makes no news. An error without a group is looked for under the keys that former
versions give it, and takes that group over: its number, history, pending mails, mute and bout. Where several former
groups are one error now, the oldest of those that a mail asks for is carried over, and the others end like any error
that is seen no more. Where a former group is several errors now, the first of them to come takes it over, and the
others are opened from its state, so that they are told when it would have been.

What it costs: nothing while the ledger holds nothing of a former version, else one question for each batch, and the
former fingerprints of those errors alone that have no group.
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
"""A mail: under which key it goes, and by which fingerprint of the current version."""


class CarryOver:
    """What sort asks before it files a batch."""

    def __init__(self, ledger: Ledger, rules: Rules, versions: Versions) -> None:
        self._ledger = ledger
        self._rules = rules
        self._versions = versions
        self._former: Sequence[FingerprintMethod] | None = None if versions.former else ()

    def carry_over(self, mails: Iterable[KeyedMail]) -> dict[GroupKey, Group]:
        """Carry former groups over to the keys of these mails, in a transaction of its own; doing so twice is no harm.

        Returns the former group of each error that is a part of one which another error has taken over: such an error
        is opened from its state (`schedule.split_off`). Raises LedgerBusy, LedgerError.
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
        """The former versions of which the ledger holds a group, or one that was carried over; asked for once."""
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
                except Exception:  # what an old release stumbled over is a new error, and no reason to park a mail
                    log.exception("a former fingerprint could not be made")
