"""The content of a mail: where DATA ends, in whatever pieces the bytes arrive."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from relay.model import Retained
from relay.receive.content import Content
from relay.receive.memory import MemoryBudget

STREAMS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"\r\n.\r\n"]), max_size=40).map(b"".join)


def by_lines(stream: bytes) -> tuple[bytes, bytes] | None:
    """Return content and rest as in RFC 5321, section 4.1.1.4, line by line; None if the mail goes on."""
    lines = re.findall(rb"(?s).*?\r\n", stream)
    if b".\r\n" not in lines:
        return None
    mail = lines[: lines.index(b".\r\n")]
    content = b"".join(line[1:] if line.startswith(b".") else line for line in mail)
    return content, stream[sum(map(len, mail)) + 3 :]


def parsed(stream: bytes, cuts: list[int]) -> tuple[bytes, bytes] | None:
    """Return content and rest from `Content`, with `stream` cut into pieces."""
    content = Content(1 << 20, MemoryBudget(1 << 20))
    for start, end in itertools.pairwise([0, *sorted(cuts), len(stream)]):
        rest = content.feed(stream[start:end])
        if rest is not None:
            retained, data = content.retained()
            assert (retained, content.size) == (Retained.WHOLE, len(data))
            return data, rest + stream[end:]
    return None


@given(STREAMS, st.lists(st.integers(0, 80), max_size=5))
def test_mail_ends_at_its_end_mark_in_any_pieces(stream, cuts):
    assert parsed(stream, [min(cut, len(stream)) for cut in cuts]) == by_lines(stream)


@given(STREAMS)
def test_mail_may_come_byte_by_byte(stream):
    assert parsed(stream, list(range(len(stream)))) == by_lines(stream)
