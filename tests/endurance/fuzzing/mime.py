"""The MIME parser: any parts, encodings and charsets give clean text within the limits."""

from __future__ import annotations

from relay.parse import mime
from tests.endurance.fuzzing.promises import is_clean, is_line


def check(data: bytes) -> None:
    found = mime.read(data)

    assert is_clean(found.text)
    assert len(found.text) <= mime.MAX_TEXT + 100
    assert is_line(found.subject, mime.MAX_HEADER)
    assert is_line(found.sender, 320)
