"""The current version of the fingerprint and former ones (fingerprint → ingest.carry_over, `relay regroup`).

A change to how the key is made needs a new `fingerprint.VERSION`, and gives every error a new key. `Versions.former`
keeps the functions of earlier versions. With them, ingest looks up an error without a group under its former keys and
carries that group over (`ingest.carry_over`), so known errors stay known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from relay.model import Fingerprint, Report

FingerprintMethod = Callable[[Report], Fingerprint]
"""A function that returns the fingerprint of any report."""

MAX_FORMER = 2
"""Number of former versions. A ledger with older groups skipped several releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The current and the former versions. Raises ValueError for too many former ones, or one not below `number`."""

    current: FingerprintMethod
    number: int
    """The version that `current` makes."""
    former: Mapping[int, FingerprintMethod] = field(default_factory=dict)
    """Former versions by number, each below `number`; at most `MAX_FORMER`."""

    def __post_init__(self) -> None:
        if len(self.former) > MAX_FORMER:
            raise ValueError(f"at most {MAX_FORMER} former versions are kept, not {len(self.former)}")
        if any(version >= self.number for version in self.former):
            raise ValueError(f"a former version is below {self.number}")
