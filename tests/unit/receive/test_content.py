"""The receiver's parts that need no socket: the end of DATA, paths, the buffer, who goes first."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Kept
from relay.receive.admission import HANDSHAKE, PATIENCE, Roster
from relay.receive.buffer import LineTooLong, Stream, TooMuchNoise
from relay.receive.content import Content
from relay.receive.memory import Room
from relay.receive.path import parse_path

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
    content = Content(1 << 20, Room(1 << 20))
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


class Pausing:
    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def test_socket_is_not_read_while_much_waits():
    source, stream = Pausing(), Stream(100)
    for _ in range(10):
        stream.feed(b"x" * 50_000, source)
        if source.paused:
            break

    assert source.paused
    assert len(stream.take()) <= 200_000
    stream.relax(source)
    assert not source.paused


def test_too_long_line_is_skipped_in_little_memory_and_the_next_one_is_found():
    source, stream = Pausing(), Stream(100)
    for _ in range(1000):
        stream.feed(b"x" * 10_000, source)
        assert stream.line() is None
        assert len(stream) <= 200_000
    stream.feed(b"\r\nnext\r\n", source)

    with pytest.raises(LineTooLong):
        stream.line()
    assert stream.line() == b"next"
    assert stream.line() is None


def test_line_without_any_end_is_given_up():
    source, stream = Pausing(), Stream(100)

    for _ in range(160):
        stream.feed(b"x" * 100_000, source)
        assert stream.line() is None

    stream.feed(b"x" * 1_000_000, source)
    with pytest.raises(TooMuchNoise):
        stream.line()


@given(st.lists(st.sampled_from([b"NOOP", b"\r", b"\n", b"\r\n", b"x" * 30, b"y" * 60]), max_size=30), st.data())
def test_lines_are_the_same_however_they_are_cut(parts, data):
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    source, stream = Pausing(), Stream(100)
    found: list[bytes | None] = []
    for start, end in itertools.pairwise([0, *cuts, len(whole)]):
        stream.feed(whole[start:end], source)
        found += all_lines(stream)

    expected = [line[:-1] if line.endswith(b"\r") else line for line in whole.split(b"\n")[:-1]]
    long = [len(line) > 101 for line in whole.split(b"\n")[:-1]]
    assert [line is None or line == want for line, want in zip(found, expected, strict=True)] == [True] * len(found)
    assert [line is None for line in found if line is None] == [True] * sum(long)


def all_lines(stream: Stream) -> list[bytes | None]:
    """Every line that is there, None for one that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = stream.line()
        except LineTooLong:
            found.append(None)
        else:
            if line is None:
                return found
            found.append(line)


# --- Who goes first ---------------------------------------------------------------------------------------------------


class Someone:
    def __init__(self, *, in_transaction: bool = False, in_handshake: bool = False, peer: str = "127.0.0.1") -> None:
        self.in_transaction = in_transaction
        self.in_handshake = in_handshake
        self.peer = peer

    def look_at_the_clock(self, now: float) -> None: ...

    def hang_up(self, reply: bytes) -> None: ...

    def cut(self) -> None: ...


def test_one_silent_in_its_transaction_goes_only_after_a_while_and_one_at_work_never():
    roster = Roster(3, 3)
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


def test_handshake_goes_at_once_where_all_places_are_taken_and_later_for_others_of_its_address():
    roster = Roster(2, 2)
    greeting, idle = Someone(in_handshake=True), Someone(peer="127.0.0.2")
    for client in (greeting, idle):
        roster.enter(client)
        roster.waits(client, 100.0)

    assert roster.expendable(100.0) is greeting
    assert roster.expendable(100.0, "127.0.0.1") is None
    assert roster.expendable(100.0 + HANDSHAKE, "127.0.0.1") is greeting
    assert roster.expendable(100.0, "127.0.0.2") is idle


def test_mail_is_about_to_come_of_one_in_its_transaction_that_was_heard_of_just_now():
    roster = Roster(9, 9)
    silent, idle, coming = Someone(in_transaction=True), Someone(), Someone(in_transaction=True)
    assert not roster.bustling(0.0)
    for client in (silent, idle, coming):
        roster.enter(client)
    roster.waits(silent, 100.0)
    roster.waits(idle, 105.0)
    assert not roster.bustling(104.0)
    assert roster.bustling(100.0)

    roster.waits(coming, 103.0)
    assert roster.bustling(103.0)
    roster.works(coming)
    assert not roster.bustling(103.0)


def test_one_that_left_is_never_found_again():
    roster = Roster(1, 1)
    client = Someone()
    roster.enter(client)
    roster.leave(client)
    roster.waits(client, 1.0)

    assert roster.expendable(1e9) is None
    assert roster.idle() == list(roster) == []
