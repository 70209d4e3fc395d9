"""The fingerprint versions of this release, each with the way in which it reads a report (parse, grouping → ingest)."""

from __future__ import annotations

from relay.grouping.fingerprint import VERSION, fingerprint
from relay.grouping.former import fingerprint_1
from relay.grouping.versions import Versions
from relay.model import Fingerprint, Report
from relay.parse.former import whole_report


def _version_1(report: Report) -> Fingerprint:
    """Version 1 took all text of a mail for the message."""
    return fingerprint_1(whole_report(report))


VERSIONS = Versions(current=fingerprint, number=VERSION, former={1: _version_1})
