"""The JSON part of a client mail: any text gives values of the right type within the limits."""

from __future__ import annotations

from relay.parse import json_part
from tests.endurance.fuzzing.promises import is_clean, is_line


def check(data: bytes) -> None:
    found = json_part.read(data.decode("utf-8", "replace"))

    assert all(is_line(value, 600) for value in found.fields.values())
    assert all(is_line(label, 100) and is_line(value, 1_200) for label, value in found.request)
    assert is_clean(found.template + found.trace)
    assert is_line(found.app_package, 600)
