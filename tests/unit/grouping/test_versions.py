"""The versions of the fingerprint."""

from __future__ import annotations

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.grouping.versions import Versions
from relay.ingest.versions import VERSIONS
from relay.parse.report import parse_text


def test_fingerprints_have_the_number_of_the_current_version():
    assert VERSIONS.current(parse_text("Failed", "it broke")).version == VERSIONS.number


@pytest.mark.parametrize(
    "former", [{1: fingerprint, 2: fingerprint, 3: fingerprint}, {4: fingerprint}, {5: fingerprint}]
)
def test_former_versions_are_at_most_two_and_below_the_current_one(former):
    with pytest.raises(ValueError, match="former version"):
        Versions(current=fingerprint, number=4, former=former)
