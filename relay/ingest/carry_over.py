"""Carry groups of an earlier fingerprint version over to the current one (ingest → ledger).

Guarantee: a change of version alone makes no news. An error without a group is looked up under the keys of former
versions. It takes over the group that is found: id, history, pending mails, mute and episode. If several former groups
are one error now, the oldest of those that a batch matches is carried over; the others end like any error that is not
seen any more. If a former group is several errors now, the first one that comes takes it over. The others are opened
from its state, so that they are reported when it would have been.

Mixed fleets: a worker with an earlier version knows nothing of later ones and looks an error up under its own key only.
While such a worker shares the ledger, each error keeps a row under its former keys too, a stub (`ledger.stubs`). So an
error that one of them has reported is not new to the other. A spool is that of such a worker if its cursor was moved
under an earlier version (`spools.fingerprint_version`), and has moved within `MIXED_FOR`.

Cost: nothing while the ledger holds no group of a former version and no such worker; else one query for each batch, and
the former fingerprints of only those errors that have no group; in a mixed fleet, those of all mails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from relay.grouping.routing import Router
from relay.grouping.rules import Rules
from relay.grouping.versions import Versions
from relay.ledger import GroupClaim, Ledger
from relay.model import Fingerprint, Group, GroupKey, Report

log = structlog.get_logger()

MIXED_FOR = timedelta(days=1)
"""How long the fleet counts as mixed after the cursor of a worker with an earlier version moved."""
MAX_FORMER_KEYS = 20
"""Former keys of one error that get a stub. An error with more of them had a new key with each mail."""
MAX_REMEMBERED = 10_000
"""Errors whose former keys are remembered for that limit."""

KeyedMail = tuple[GroupKey, Report, Fingerprint]
"""A mail: its key, its report, and its fingerprint of the current version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOver:
    """What the ingest step needs to write a batch."""

    parents: Mapping[GroupKey, Group] = field(default_factory=dict)
    """The former group of each error whose former group another error has taken over. Such an error is opened from the
    state of that group (`schedule.split_off`).
    """
    former: Mapping[GroupKey, GroupKey] = field(default_factory=dict)
    """In a mixed fleet: the former keys of the batch, each with the key of its error."""


class CarryOver:
    """Carry former groups over before the ingest step writes a batch."""

    def __init__(self, ledger: Ledger, rules: Rules, router: Router, versions: Versions) -> None:
        self._ledger = ledger
        self._rules = rules
        self._router = router
        self._versions = versions
        self._stored: set[int] | None = None
        """The versions of the groups in the ledger; None before they were queried."""
        self._cursors: Mapping[str, int] = {}
        self._mixed_until: datetime | None = None
        self._former_of: dict[GroupKey, set[GroupKey]] = defaultdict(set)

    def carry_over(self, mails: Iterable[KeyedMail], spool_id: str, now: datetime) -> CarriedOver:
        """Carry former groups over to the keys of these mails, in a separate transaction. Idempotent.

        `spool_id` is the spool of this worker. Raises LedgerBusy, LedgerError.
        """
        if not self._versions.former:
            return CarriedOver()
        mixed = self._is_mixed(spool_id, now)
        if not mixed and not self._holds_former():
            return CarriedOver()
        mails_by_key: dict[GroupKey, list[KeyedMail]] = defaultdict(list)
        for mail in mails:
            mails_by_key[mail[0]].append(mail)
        known = self._ledger.versions_of(mails_by_key)
        unclaimed = {key: mails for key, mails in mails_by_key.items() if known.get(key) != self._versions.number}
        claims = {key: self._claim(mails, exists=key in known) for key, mails in unclaimed.items()}
        parents = self._ledger.carry_over(claims, stubs=mixed) if claims else {}
        return CarriedOver(parents=parents, former=self._former_keys_to_keep(mails_by_key) if mixed else {})

    def _is_mixed(self, spool_id: str, now: datetime) -> bool:
        """Return whether a worker with an earlier version shares the ledger."""
        cursors = self._ledger.older_spools(self._versions.number, except_of=spool_id)
        if cursors != self._cursors:
            self._cursors, self._mixed_until = cursors, now + MIXED_FOR
        return bool(cursors) and self._mixed_until is not None and now < self._mixed_until

    def _holds_former(self) -> bool:
        """Return whether the ledger holds a group of a former version, or a carried-over one. Queried once."""
        if self._stored is None:
            self._stored = self._ledger.versions()
        return not self._stored.isdisjoint(self._versions.former)

    def _claim(self, mails: Sequence[KeyedMail], *, exists: bool) -> GroupClaim:
        former = () if exists else dict.fromkeys(self._former_keys(mails))
        return GroupClaim(fingerprint=mails[-1][2], former=tuple(former))

    def _former_keys_to_keep(self, mails_by_key: Mapping[GroupKey, Sequence[KeyedMail]]) -> dict[GroupKey, GroupKey]:
        """Return the former keys under which workers with an earlier version look for these errors."""
        if len(self._former_of) > MAX_REMEMBERED:
            self._former_of.clear()
        kept: dict[GroupKey, GroupKey] = {}
        for key, mails in mails_by_key.items():
            remembered = self._former_of[key]
            for former in self._former_keys(mails):
                if former not in mails_by_key and (former in remembered or len(remembered) < MAX_FORMER_KEYS):
                    remembered.add(former)
                    kept.setdefault(former, key)
        return kept

    def _former_keys(self, mails: Iterable[KeyedMail]) -> Iterator[GroupKey]:
        for _, report, _ in mails:
            named = replace(report, app=report.former_app or report.app)
            for method in self._versions.former.values():
                try:
                    found = self._rules.judge(named, method(named)).fingerprint
                    yield self._router.route(named, found.title), named.app, found.key
                except Exception:  # a bug of an old version makes a new error; it must not park the mail
                    log.exception("a former fingerprint could not be computed")
