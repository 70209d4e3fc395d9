"""The input buffer: lines in any pieces, bounded memory, back pressure."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.receive.buffer import Buffer, EndlessLine, LineTooLong


class Pausing:
    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def test_socket_is_not_read_while_the_buffer_is_full():
    source, buffer = Pausing(), Buffer(100)
    for _ in range(10):
        buffer.feed(b"x" * 50_000, source)
        if source.paused:
            break

    assert source.paused
    assert len(buffer.take()) <= 200_000
    buffer.resume_if_drained(source)
    assert not source.paused


def test_too_long_line_is_skipped_in_little_memory_and_the_next_line_is_read():
    source, buffer = Pausing(), Buffer(100)
    for _ in range(1000):
        buffer.feed(b"x" * 10_000, source)
        assert buffer.line() is None
        assert len(buffer) <= 200_000
    buffer.feed(b"\r\nnext\r\n", source)

    with pytest.raises(LineTooLong):
        buffer.line()
    assert buffer.line() == b"next"
    assert buffer.line() is None


def test_endless_line_is_an_error():
    source, buffer = Pausing(), Buffer(100)

    for _ in range(160):
        buffer.feed(b"x" * 100_000, source)
        assert buffer.line() is None

    buffer.feed(b"x" * 1_000_000, source)
    with pytest.raises(EndlessLine):
        buffer.line()


@given(st.lists(st.sampled_from([b"NOOP", b"\r", b"\n", b"\r\n", b"x" * 30, b"y" * 60]), max_size=30), st.data())
def test_lines_are_the_same_in_any_pieces(parts, data):
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    source, buffer = Pausing(), Buffer(100)
    found: list[bytes | None] = []
    for start, end in itertools.pairwise([0, *cuts, len(whole)]):
        buffer.feed(whole[start:end], source)
        found += complete_lines(buffer)

    expected = [line[:-1] if line.endswith(b"\r") else line for line in whole.split(b"\n")[:-1]]
    long = [len(line) > 101 for line in whole.split(b"\n")[:-1]]
    assert [line is None or line == want for line, want in zip(found, expected, strict=True)] == [True] * len(found)
    assert [line is None for line in found if line is None] == [True] * sum(long)


def complete_lines(buffer: Buffer) -> list[bytes | None]:
    """Return every complete line, None for one that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = buffer.line()
        except LineTooLong:
            found.append(None)
        else:
            if line is None:
                return found
            found.append(line)
