"""Which versions of the fingerprint are in use."""

from __future__ import annotations

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.grouping.versions import VERSIONS, Versions
from relay.parse.report import parse_text


def test_the_version_in_use_is_the_one_its_fingerprints_carry():
    assert VERSIONS.current(parse_text("Failed", "it broke")).version == VERSIONS.number


@pytest.mark.parametrize(
    "former", [{1: fingerprint, 2: fingerprint, 3: fingerprint}, {4: fingerprint}, {5: fingerprint}]
)
def test_former_versions_are_few_and_below_the_one_in_use(former):
    with pytest.raises(ValueError, match="former version"):
        Versions(current=fingerprint, number=4, former=former)
