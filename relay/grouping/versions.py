"""The fingerprint as it is made now, and as earlier releases made it (fingerprint → succession, `relay regroup`).

A change of the rules is a new `fingerprint.VERSION`, and gives each error another key. So that the groups which are
known stay known, the way of the version before is kept under its number in `VERSIONS.former`: an error without a group
is then looked for under its former key too, and takes that group over (`succession`). Today there is one version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from relay.grouping.fingerprint import VERSION, fingerprint
from relay.model import Fingerprint, Report

FingerprintMethod = Callable[[Report], Fingerprint]
"""Makes fingerprints; any report gives one."""

MAX_FORMER = 2
"""So many versions back is looked; a ledger that is older was not run for as many releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """All the ways to make a fingerprint that are in use. Raises ValueError for former ones that cannot be that."""

    current: FingerprintMethod
    number: int
    """The version of what `current` makes."""
    former: Mapping[int, FingerprintMethod] = field(default_factory=dict)
    """By version, each below `number`; at most `MAX_FORMER`."""

    def __post_init__(self) -> None:
        if len(self.former) > MAX_FORMER:
            raise ValueError(f"at most {MAX_FORMER} former versions are kept, not {len(self.former)}")
        if any(version >= self.number for version in self.former):
            raise ValueError(f"a former version is below {self.number}")


VERSIONS = Versions(current=fingerprint, number=VERSION)
