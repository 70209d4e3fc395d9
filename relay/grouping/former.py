"""Fingerprints of former versions, to find the groups that they made (ingest.versions → ingest.carry_over).

Guarantee: for a report that was read as the former release read it, the key is the one that this release computed.
"""

from __future__ import annotations

from dataclasses import replace

from relay.grouping.components import components_1
from relay.grouping.fingerprint import key_of, title_of
from relay.model import Fingerprint, Report


def fingerprint_1(report: Report) -> Fingerprint:
    """Return the fingerprint of version 1: names do not count, and every quotation is data."""
    found = components_1(replace(report, names=(), headline=""))
    return Fingerprint(version=1, key=key_of(1, found.parts), title=title_of(found))
