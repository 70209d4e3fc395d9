"""The receiver's parts that need no socket: the end of DATA, paths, the buffer, who goes first."""

from __future__ import annotations

import asyncio
import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Kept
from relay.receive.content import Content
from relay.receive.path import parse_path
from relay.receive.roster import PATIENCE, Roster
from relay.receive.stream import LineTooLong, Stream

# --- The end of DATA --------------------------------------------------------------------------------------------------

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
    content = Content(1 << 20)
    for start, end in itertools.pairwise([0, *sorted(cuts), len(wire)]):
        rest = content.feed(wire[start:end])
        if rest is not None:
            kept, data = content.kept()
            assert (kept, content.size) == (Kept.WHOLE, len(data))
            return data, rest + wire[end:]
    return None


@given(WIRE, st.lists(st.integers(0, 80), max_size=5))
def test_mail_ends_where_its_lines_say(wire, cuts):
    assert fed(wire, [min(cut, len(wire)) for cut in cuts]) == by_lines(wire)


@given(WIRE)
def test_mail_may_come_byte_by_byte(wire):
    assert fed(wire, list(range(len(wire)))) == by_lines(wire)


# --- Paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argument", ["FROM:<" + "a." * 500_000, "FROM:<@" + "a,@" * 300_000, 'FROM:<"' + "\\" * 999_999]
)
def test_malformed_path_costs_time_in_proportion_to_its_length(argument):
    began = time.process_time()

    assert parse_path(argument, "FROM") is None
    assert time.process_time() - began < 1


@given(st.text(max_size=60))
def test_no_text_surprises_the_grammar(text):
    path = parse_path("TO:" + text, "TO")

    assert path is None or not set(path.address) & set("\r\n\0")


# --- The buffer -------------------------------------------------------------------------------------------------------


class Pausing(asyncio.ReadTransport):
    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def test_socket_is_not_read_while_much_waits():
    transport, stream = Pausing(), Stream()
    stream.attach(transport)
    for _ in range(10):
        stream.feed(b"x" * 50_000)
        if transport.paused:
            break

    assert transport.paused
    assert len(await stream.some()) <= 200_000
    assert not transport.paused


async def test_too_long_line_is_skipped_in_little_memory_and_the_next_one_is_found():
    transport, stream = Pausing(), Stream()
    stream.attach(transport)
    line = asyncio.ensure_future(stream.line(100))
    for _ in range(1000):
        stream.feed(b"x" * 10_000)
        await asyncio.sleep(0)
        assert len(stream._buffer) <= 200_000
    stream.feed(b"\r\nnext\r\n")

    with pytest.raises(LineTooLong):
        await line
    assert await stream.line(100) == b"next"


async def test_what_was_said_in_clear_is_forgotten_when_the_transport_changes():
    stream = Stream()
    stream.attach(Pausing())
    stream.feed(b"MAIL FROM:<injected@example.com>\r\n")
    stream.attach(Pausing())
    stream.feed(b"EHLO x\r\n")

    assert await stream.line(100) == b"EHLO x"


async def test_end_is_told_after_what_came_before_it():
    stream = Stream()
    stream.feed(b"NOOP\r\nhalf")
    stream.feed_eof()

    assert await stream.line(100) == b"NOOP"
    with pytest.raises(EOFError):
        await stream.line(100)


# --- Who goes first ---------------------------------------------------------------------------------------------------


class Someone:
    def __init__(self, *, in_transaction: bool = False) -> None:
        self.in_transaction = in_transaction


def test_one_silent_in_its_transaction_goes_only_after_a_while_and_one_at_work_never():
    roster: Roster[Someone] = Roster(3)
    silent, working, idle = Someone(in_transaction=True), Someone(in_transaction=True), Someone()
    for client in (silent, working, idle):
        roster.enter(client)
    roster.waits(silent, 100.0)
    roster.waits(working, 100.0)
    roster.works(working)
    roster.waits(idle, 101.0)

    assert roster.full
    assert roster.expendable(102.0) is idle
    assert roster.idle() == [idle]
    assert roster.expendable(100.0 + PATIENCE) is silent
    roster.leave(silent)
    roster.leave(idle)
    assert roster.expendable(1e9) is None
    assert not roster.full


def test_one_that_left_is_never_found_again():
    roster: Roster[Someone] = Roster(1)
    client = Someone()
    roster.enter(client)
    roster.leave(client)
    roster.waits(client, 1.0)

    assert roster.expendable(1e9) is None
    assert roster.idle() == list(roster) == []
