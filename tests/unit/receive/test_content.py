"""The content of a mail: where DATA ends, however the bytes are cut."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from relay.model import Retained
from relay.receive.content import Content
from relay.receive.memory import MemoryBudget

WIRE = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"\r\n.\r\n"]), max_size=40).map(b"".join)


def by_lines(wire: bytes) -> tuple[bytes, bytes] | None:
    """Content and rest as RFC 5321 4.1.1.4 has it, line by line; None where the mail goes on."""
    lines = re.findall(rb"(?s).*?\r\n", wire)
    if b".\r\n" not in lines:
        return None
    mail = lines[: lines.index(b".\r\n")]
    content = b"".join(line[1:] if line.startswith(b".") else line for line in mail)
    return content, wire[sum(map(len, mail)) + 3 :]


def fed(wire: bytes, cuts: list[int]) -> tuple[bytes, bytes] | None:
    """Content and rest as `Content` has it, with `wire` cut into pieces."""
    content = Content(1 << 20, MemoryBudget(1 << 20))
    for start, end in itertools.pairwise([0, *sorted(cuts), len(wire)]):
        rest = content.feed(wire[start:end])
        if rest is not None:
            retained, data = content.retained()
            assert (retained, content.size) == (Retained.WHOLE, len(data))
            return data, rest + wire[end:]
    return None


@given(WIRE, st.lists(st.integers(0, 80), max_size=5))
def test_mail_ends_where_its_lines_say(wire, cuts):
    assert fed(wire, [min(cut, len(wire)) for cut in cuts]) == by_lines(wire)


@given(WIRE)
def test_mail_may_come_byte_by_byte(wire):
    assert fed(wire, list(range(len(wire)))) == by_lines(wire)
