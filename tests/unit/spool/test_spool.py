"""The spool: what `append` returned for is read once, in order, whatever happens to the files around it."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import stat
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import InUse, SpoolError, SpoolFull
from relay.model import Envelope, Kept
from relay.spool import Claims, SpoolReader, SpoolWriter, disk, segments

START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """A small reserve, and no waiting for the disk: the integration tests do that."""
    monkeypatch.setattr(segments, "RESERVE_SIZE", 4096)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def busy(monkeypatch):
    """Segments have zeros ahead of the records, as those into which much comes."""
    monkeypatch.setattr(segments, "MUCH", 100)
    monkeypatch.setattr(segments, "AHEAD", 9000)


def envelope(number: int = 0) -> Envelope:
    return Envelope(sender=f"app{number}@example.com", recipients=("a@example.com", "b@example.com"), peer="127.0.0.1")


async def append(writer: SpoolWriter, content: bytes, *, kept: Kept = Kept.WHOLE, number: int = 0) -> int:
    return await writer.append(
        received_at=START + timedelta(seconds=number),
        envelope=envelope(number),
        kept=kept,
        content=content,
        size=len(content),
    )


async def filled(folder: Path, *contents: bytes, segment_size: int = 1 << 20) -> list[int]:
    """Put `contents` into the spool one after the other, close it and return their positions."""
    writer = SpoolWriter.open(folder, segment_size=segment_size)
    positions = [await append(writer, content) for content in contents]
    await writer.close()
    return positions


def contents(folder: Path, position: int = 0) -> list[bytes]:
    """Everything from `position` on, read in small steps."""
    reader = SpoolReader(folder)
    found: list[bytes] = []
    while records := reader.read(position, limit=2):
        found += [record.content for record in records]
        position = records[-1].end
    reader.close()
    return found


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x40
    path.write_bytes(data)


# --- What goes in comes out -------------------------------------------------------------------------------------------


async def test_record_comes_back_as_it_was_put_down(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    sender = Envelope(sender="", recipients=("ä@exämple.com", "b\udcff@x"), peer="::1")

    position = await writer.append(
        received_at=START, envelope=sender, kept=Kept.ENDS, content=b"\x00\xff\r\n.\r\n", size=12_345_678
    )
    (record,) = SpoolReader(tmp_path).read(0)
    await writer.close()

    assert (record.position, record.received_at, record.envelope) == (position, START, sender)
    assert (record.kept, record.content, record.size) == (Kept.ENDS, b"\x00\xff\r\n.\r\n", 12_345_678)
    assert record.end > record.position


@pytest.mark.usefixtures("busy")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=3000), max_size=30), st.integers(500, 5000))
def test_any_contents_come_back_in_order_across_segments(tmp_path_factory, given_contents, segment_size):
    folder = tmp_path_factory.mktemp("spool")

    asyncio.run(filled(folder, *given_contents, segment_size=segment_size))

    assert contents(folder) == given_contents


async def test_read_goes_on_where_the_last_one_ended(tmp_path):
    positions = await filled(tmp_path, b"1", b"2", b"3")
    reader = SpoolReader(tmp_path)

    first = reader.read(0, limit=1)
    rest = reader.read(first[0].end)

    assert [record.content for record in first + rest] == [b"1", b"2", b"3"]
    assert [record.position for record in first + rest] == positions
    assert reader.read(rest[-1].end) == []


async def test_read_stops_at_its_limits_but_gives_at_least_one(tmp_path):
    await filled(tmp_path, *[b"x" * 1000] * 5)
    reader = SpoolReader(tmp_path)

    assert len(reader.read(0, limit=3)) == 3
    assert len(reader.read(0, limit_bytes=2000)) == 2
    assert len(reader.read(0, limit_bytes=1)) == 1


async def test_end_and_waiting_say_how_much_is_left(tmp_path):
    await filled(tmp_path, *[b"x" * 400] * 5, segment_size=1000)
    reader = SpoolReader(tmp_path)
    records = reader.read(0)

    assert reader.end() == records[-1].end
    assert [reader.waiting(record.position) for record in records] == [5, 4, 3, 2, 1]
    assert reader.waiting(reader.end()) == 0


async def test_waiting_asked_again_and_again_counts_what_came_and_what_went(tmp_path):
    """One reader, as the pages have it, over segments that grow, are begun and are removed."""
    writer = SpoolWriter.open(tmp_path, segment_size=600)
    asked, sorter = SpoolReader(tmp_path), SpoolReader(tmp_path)
    positions: list[int] = []
    for number in range(30):
        positions.append(await append(writer, b"x" * 90, number=number))
        done = number // 3
        sorter.release(positions[done])
        assert asked.waiting(positions[done]) == number + 1 - done
    assert len(segment_files(tmp_path)) > 3
    assert asked.waiting(asked.end()) == 0
    await writer.close()


async def test_waiting_asked_again_does_not_read_the_backlog_again(tmp_path, monkeypatch):
    await filled(tmp_path, *[b"x" * 90] * 60, segment_size=600)
    reader = SpoolReader(tmp_path)
    sizes: list[int] = []
    pread = os.pread

    def counted(fd: int, length: int, offset: int) -> bytes:
        sizes.append(length)
        return pread(fd, length, offset)

    assert reader.waiting(0) == 60
    monkeypatch.setattr(os, "pread", counted)
    assert reader.waiting(0) == 60

    assert sum(sizes) < 100 * len(segment_files(tmp_path))  # the headers


def test_spool_that_does_not_exist_is_empty(tmp_path):
    reader = SpoolReader(tmp_path / "none")

    assert (reader.spool_id, reader.read(0), reader.end(), reader.waiting(0)) == ("", [], 0, 0)
    reader.release(5)


async def test_spool_is_for_its_owner_alone(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o755)
    mask = os.umask(0)
    try:
        await filled(folder, b"x")
        Claims(folder).close()
    finally:
        os.umask(mask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_envelope_with_a_nul_is_refused_before_anything_is_written(tmp_path):
    writer = SpoolWriter.open(tmp_path)

    with pytest.raises(ValueError, match="NUL"):
        await writer.append(
            received_at=START,
            envelope=Envelope(sender="a\0b", recipients=(), peer=""),
            kept=Kept.WHOLE,
            content=b"",
            size=0,
        )
    await append(writer, b"next")
    await writer.close()

    assert contents(tmp_path) == [b"next"]


# --- Group commit -----------------------------------------------------------------------------------------------------


async def test_mails_that_gather_share_a_sync(tmp_path):
    writer = SpoolWriter.open(tmp_path)

    positions = await asyncio.gather(*(append(writer, b"%d" % n) for n in range(1000)))
    await writer.close()

    assert (writer.records, len(set(positions))) == (1000, 1000)
    assert writer.syncs <= 5
    assert sorted(contents(tmp_path), key=int) == [b"%d" % n for n in range(1000)]


async def test_each_position_is_that_of_its_own_record(tmp_path):
    writer = SpoolWriter.open(tmp_path, segment_size=4096)
    positions = await asyncio.gather(*(append(writer, b"%d" % n) for n in range(200)))
    await writer.close()
    reader = SpoolReader(tmp_path)

    assert [reader.read(at, limit=1)[0].content for at in positions] == [b"%d" % n for n in range(200)]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and at Linux' call")
async def test_append_returns_after_the_sync_of_its_bytes(tmp_path, monkeypatch):
    """At the moment of the sync the record is in the file, and nobody has been answered."""
    writer = SpoolWriter.open(tmp_path)
    answered: list[int] = []
    seen: list[tuple[bool, list[int]]] = []

    def watched(fd: int) -> None:
        seen.append((b"precious" in Path(f"/proc/self/fd/{fd}").read_bytes(), list(answered)))

    monkeypatch.setattr(os, "fdatasync", watched)
    answered.append(await append(writer, b"precious"))
    await writer.close()

    assert seen == [(True, [])]


def submit(writer: SpoolWriter, content: bytes, done: asyncio.Queue[int | SpoolError], *, more: bool) -> None:
    writer.submit(
        received_at=START,
        envelope=envelope(),
        kept=Kept.WHOLE,
        content=content,
        size=len(content),
        done=done.put_nowait,
        more=lambda _: more,
    )


async def test_group_waits_for_mails_that_are_about_to_come(tmp_path, monkeypatch):
    monkeypatch.setattr("relay.spool.writer.MOMENT", 1000.0)
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()

    submit(writer, b"first", done, more=True)
    for _ in range(5):
        await asyncio.sleep(0)  # a group that does not wait is begun in the next turn
    submit(writer, b"second", done, more=True)
    assert done.empty()
    submit(writer, b"last", done, more=False)
    positions = [position for _ in range(3) if isinstance(position := await done.get(), int)]
    await writer.close()

    assert len(positions) == 3
    assert positions == sorted(positions)
    assert (writer.records, writer.syncs) == (3, 1)


async def test_group_waits_for_others_a_moment_at_most(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()

    submit(writer, b"one", done, more=True)
    assert isinstance(await done.get(), int)
    submit(writer, b"another", done, more=True)
    await writer.close()

    assert isinstance(done.get_nowait(), int)
    assert contents(tmp_path) == [b"one", b"another"]


async def test_what_gathered_during_a_sync_waits_for_more_too(tmp_path, monkeypatch):
    """The next group's company is asked for when its turn comes, not when its mails came."""
    monkeypatch.setattr("relay.spool.writer.MOMENT", 1000.0)
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()
    under_way, go_on = threading.Event(), threading.Event()

    def held(_: int) -> None:
        under_way.set()
        go_on.wait()

    monkeypatch.setattr(segments, "sync", held)

    submit(writer, b"first", done, more=False)
    await asyncio.to_thread(under_way.wait)
    submit(writer, b"second", done, more=True)
    go_on.set()
    await done.get()
    assert done.empty()
    submit(writer, b"third", done, more=False)
    await done.get()
    await done.get()
    await writer.close()

    assert (writer.records, writer.syncs) == (3, 2)


async def test_what_gathered_during_a_slow_sync_is_next_at_once(tmp_path, monkeypatch):
    """The thread goes on by itself: here the loop does not turn, and more would be about to come."""
    monkeypatch.setattr("relay.spool.writer.MOMENT", 0.0)
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()
    under_way, go_on, again = threading.Event(), threading.Event(), threading.Event()

    def slow(_: int) -> None:
        if under_way.is_set():
            again.set()
        under_way.set()
        go_on.wait()

    monkeypatch.setattr(segments, "sync", slow)
    submit(writer, b"first", done, more=False)
    await asyncio.to_thread(under_way.wait)
    submit(writer, b"second", done, more=True)
    submit(writer, b"third", done, more=True)
    go_on.set()
    assert again.wait(20)
    await writer.close()

    assert (writer.records, writer.syncs, done.qsize()) == (3, 2, 3)
    assert contents(tmp_path) == [b"first", b"second", b"third"]


async def test_cancelled_append_harms_nobody_else(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    left = asyncio.ensure_future(append(writer, b"left"))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(append(writer, b"%d" % n)) for n in range(5)]
    left.cancel()

    await asyncio.gather(*others)
    await writer.close()

    assert set(contents(tmp_path)) >= {b"%d" % n for n in range(5)}


async def test_close_waits_for_what_is_under_way_and_refuses_more(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    running = asyncio.ensure_future(append(writer, b"running"))
    await asyncio.sleep(0)

    await writer.close()

    assert await running
    with pytest.raises(SpoolError):
        await append(writer, b"late")
    assert contents(tmp_path) == [b"running"]


async def test_second_writer_is_refused(tmp_path):
    writer = SpoolWriter.open(tmp_path)

    with pytest.raises(InUse):
        SpoolWriter.open(tmp_path)

    await writer.close()
    await SpoolWriter.open(tmp_path).close()


# --- Reader beside writer ---------------------------------------------------------------------------------------------


async def test_reader_follows_the_writer_and_removes_what_is_done(tmp_path):
    writer = SpoolWriter.open(tmp_path, segment_size=5000)
    reader = SpoolReader(tmp_path)
    seen: list[bytes] = []
    position = 0
    for batch in range(40):
        await asyncio.gather(*(append(writer, b"%d" % (batch * 10 + n)) for n in range(10)))
        for record in reader.read(position, limit=7):
            seen.append(record.content)
            position = record.end
        reader.release(position)
    seen += [record.content for record in reader.read(position)]
    await writer.close()

    assert sorted(seen, key=int) == [b"%d" % n for n in range(400)]
    assert reader.damage == {}


async def test_reader_sees_only_what_is_synced(tmp_path, monkeypatch):
    writer = SpoolWriter.open(tmp_path)
    reader = SpoolReader(tmp_path)
    await append(writer, b"synced")
    seen_at_sync: list[list[bytes]] = []
    monkeypatch.setattr(segments, "sync", lambda _: seen_at_sync.append([r.content for r in reader.read(0)]))

    await append(writer, b"under way")
    await writer.close()

    assert seen_at_sync == [[b"synced"]]
    assert contents(tmp_path) == [b"synced", b"under way"]


async def test_release_removes_whole_segments_that_are_done_and_never_the_newest(tmp_path):
    await filled(tmp_path, *[b"x" * 400] * 6, segment_size=1100)
    reader = SpoolReader(tmp_path)
    records = reader.read(0)
    before = segment_files(tmp_path)
    assert len(before) == 3

    reader.release(records[2].end)  # in the middle of the second
    assert segment_files(tmp_path) == before[1:]
    reader.release(records[3].end)
    assert segment_files(tmp_path) == before[2:]
    reader.release(reader.end())
    assert segment_files(tmp_path) == before[2:]
    reader.release(reader.end() * 2)
    assert segment_files(tmp_path) == before[2:]


async def test_release_leaves_no_empty_segment_behind(tmp_path):
    """A receiver that restarts again and again, with no mail in between, fills no disk."""
    await filled(tmp_path, b"1")
    cursor = SpoolReader(tmp_path).read(0)[0].end
    for _ in range(5):
        await filled(tmp_path)
    await filled(tmp_path, b"2")
    reader = SpoolReader(tmp_path)
    reader.release(0)
    assert len(segment_files(tmp_path)) == 7

    reader.release(cursor)

    assert len(segment_files(tmp_path)) == 1
    assert contents(tmp_path, cursor) == [b"2"]
    assert reader.damage == {}


async def test_positions_never_come_again(tmp_path):
    """Not after a restart, and not after everything was sorted and removed."""
    seen: list[int] = []
    ids = set()
    for _ in range(5):
        seen += await filled(tmp_path, b"1", b"2")
        reader = SpoolReader(tmp_path)
        assert reader.end() > seen[-1]
        reader.release(reader.end())
        ids.add(reader.spool_id)

    assert seen == sorted(set(seen))
    assert len(ids) == 1
    assert len(segment_files(tmp_path)) == 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_is_sorted_does_not_stay_where_little_comes(tmp_path, monkeypatch):
    """Mails lie in the spool as they came, with all their secrets: no longer than they have to."""
    monkeypatch.setattr("relay.spool.writer.RENEWAL", 0.0)
    writer = SpoolWriter.open(tmp_path)
    first = await append(writer, b"password=hunter2")
    await until(lambda: len(segment_files(tmp_path)) == 2)
    reader = SpoolReader(tmp_path)
    position = reader.read(0)[-1].end
    reader.release(position)

    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.iterdir())
    assert len(segment_files(tmp_path)) == 1
    later = await append(writer, b"later")
    await writer.close()
    assert later > first
    assert contents(tmp_path, position) == [b"later"]
    assert reader.damage == {}


async def test_segment_without_mails_is_not_followed_by_another(tmp_path):
    opened = segments.Log.open(tmp_path, 1 << 20)
    opened.renew()
    opened.close()

    assert len(segment_files(tmp_path)) == 1


async def test_while_nobody_sorts_segments_do_not_become_many(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MOST_SEGMENTS", 3)
    monkeypatch.setattr("relay.spool.writer.RENEWAL", 0.0)
    writer = SpoolWriter.open(tmp_path)
    for number in range(3):
        await append(writer, b"mail", number=number)
        await until(lambda: len(segment_files(tmp_path)) == min(3, number + 2))  # noqa: B023 -- it is asked at once
    for number in range(20):
        await append(writer, b"mail", number=number)
    await writer.close()

    assert len(segment_files(tmp_path)) == 3
    assert len(contents(tmp_path)) == 23


async def test_positions_of_a_segment_that_was_deleted_never_come_again(tmp_path):
    """The ledger may have sorted into it: what got such a position would be taken for sorted."""
    for number in range(2):
        writer = SpoolWriter.open(tmp_path)
        position = await append(writer, b"x" * 1000, number=number)
        await writer.close()
    segment_files(tmp_path)[-1].unlink()

    writer = SpoolWriter.open(tmp_path)
    later = await append(writer, b"later")
    await writer.close()

    assert later > position
    assert contents(tmp_path, position) == [b"later"]


async def test_two_readers_go_on_from_the_same_place_after_a_restart(tmp_path):
    await filled(tmp_path, b"1", b"2")
    cursor = SpoolReader(tmp_path).read(0)[0].end
    await filled(tmp_path, b"3")

    assert contents(tmp_path, cursor) == contents(tmp_path, cursor) == [b"2", b"3"]


async def test_new_spool_has_a_new_id(tmp_path):
    await filled(tmp_path / "a", b"1")
    reader = SpoolReader(tmp_path / "a")
    first = reader.spool_id
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    await filled(tmp_path / "a", b"2")

    assert len(first) == len(reader.spool_id) == 32
    assert reader.spool_id != first
    assert [record.content for record in reader.read(0)] == [b"2"]


# --- Torn ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["kept", "lost", "older"])
async def test_torn_tail_is_no_mail_and_no_damage(tmp_path, mark, caplog):
    """The last record was being written when the power went: wherever it broke off, the rest is there, and goes on."""
    folder = tmp_path / "spool"
    await filled(folder, b"first")
    older = (folder / "synced").read_bytes()
    writer = SpoolWriter.open(folder)
    await append(writer, b"second")
    before = (folder / "synced").read_bytes()
    start = segment_files(folder)[-1].stat().st_size
    await append(writer, b"third, never answered")
    await writer.close()
    whole = segment_files(folder)[-1].read_bytes()

    for cut in range(start, len(whole)):
        torn = tmp_path / f"cut{cut}"
        torn.mkdir()
        (torn / segment_files(folder)[0].name).write_bytes(segment_files(folder)[0].read_bytes())
        (torn / segment_files(folder)[-1].name).write_bytes(whole[:cut])
        if mark != "lost":
            (torn / "synced").write_bytes(before if mark == "kept" else older)
        reader = SpoolReader(torn)
        cursor = reader.end()
        await filled(torn, b"after the restart")

        assert contents(torn) == [b"first", b"second", b"after the restart"]
        assert [record.content for record in reader.read(cursor)] == [b"after the restart"]
        assert reader.damage == {}
    assert caplog.records == []


async def test_pages_lost_of_an_unanswered_group_are_no_damage(tmp_path):
    """A later page of the group reached the disk, an earlier one did not."""
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"answered")
    before = (tmp_path / "synced").read_bytes()
    start = segment_files(tmp_path)[-1].stat().st_size
    await asyncio.gather(*(append(writer, b"%d" % n * 3000) for n in range(3)))
    await writer.close()
    data = bytearray(segment_files(tmp_path)[-1].read_bytes())
    data[start : start + 3100] = bytes(3100)
    segment_files(tmp_path)[-1].write_bytes(data)
    (tmp_path / "synced").write_bytes(before)

    await filled(tmp_path, b"next")
    reader = SpoolReader(tmp_path)
    found = [record.content for record in reader.read(0)]

    assert (found[0], found[-1]) == (b"answered", b"next")
    assert reader.damage == {}


@pytest.mark.parametrize("mark", ["lost", "zeros"])
async def test_without_its_mark_the_spool_is_read_as_far_as_it_is_sound(tmp_path, mark):
    """After a power cut, before the receiver is up again."""
    await filled(tmp_path, b"1", b"2")
    (tmp_path / "synced").unlink()
    if mark == "zeros":
        (tmp_path / "synced").write_bytes(bytes(28))
    with segment_files(tmp_path)[-1].open("ab") as file:
        file.write(b"torn")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"1", b"2"]
    assert reader.end() == reader.read(0)[-1].end
    assert reader.damage == {}


async def test_half_made_segment_is_none(tmp_path):
    """A crash between the making of a segment and its name leaves the old one in place."""
    await filled(tmp_path, b"1")
    (tmp_path / "new").write_bytes(b"EMRSP")

    await filled(tmp_path, b"2")

    assert contents(tmp_path) == [b"1", b"2"]


# --- Zeros ahead ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("busy")
async def test_where_much_comes_most_records_go_into_what_was_written_before(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    sizes = []
    for number in range(100):
        await append(writer, b"x" * 400, number=number)
        sizes.append(segment_files(tmp_path)[0].stat().st_size)
    await writer.close()

    assert len(set(sizes)) < 10
    assert len(contents(tmp_path)) == 100


async def test_segment_into_which_little_comes_is_as_large_as_its_records(tmp_path):
    positions = await filled(tmp_path, b"x" * 1000, b"y" * 1000)
    reader = SpoolReader(tmp_path)

    assert reader.end() > positions[-1]
    assert segment_files(tmp_path)[0].stat().st_size == reader.end() & 0xFFFFFFFF


@pytest.mark.usefixtures("busy")
async def test_segment_with_zeros_is_no_larger_than_segments_are(tmp_path):
    await filled(tmp_path, *[b"x" * 400] * 60, segment_size=10_000)

    assert len(segment_files(tmp_path)) > 2
    assert max(path.stat().st_size for path in segment_files(tmp_path)) <= 10_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.binary(min_size=200, max_size=900), min_size=1, max_size=5),
    group=st.lists(st.binary(max_size=2000), min_size=1, max_size=5),
    reached=st.integers(0, 12_000),
    lost=st.lists(st.integers(0, 30), max_size=6),
    mark=st.sampled_from(["kept", "lost"]),
)
def test_power_cut_over_zeros_costs_no_answered_mail_and_is_no_damage(
    tmp_path_factory, busy, before, group, reached, lost, mark
):
    """Of an unanswered group any bytes up to some point, but for some blocks, reached the disk; the rest is zeros."""
    folder = tmp_path_factory.mktemp("spool")

    async def written() -> tuple[int, bytes, bytes]:
        writer = SpoolWriter.open(folder)
        for content in before:
            await append(writer, content)
        end, marked = SpoolReader(folder).end() & 0xFFFFFFFF, (folder / "synced").read_bytes()
        old = segment_files(folder)[0].read_bytes()
        await asyncio.gather(*(append(writer, content) for content in group))
        await writer.close()
        return end, marked, old

    end, marked, old = asyncio.run(written())
    new = segment_files(folder)[0].read_bytes()
    torn = bytearray(new[: end + reached] + old[end + reached :])
    for block in lost:
        at = end + block * 512
        torn[at : at + 512] = old[at : at + 512].ljust(len(torn[at : at + 512]), b"\0")
    segment_files(folder)[0].write_bytes(torn)
    (folder / "synced").write_bytes(marked)
    if mark == "lost":
        (folder / "synced").unlink()

    reader = SpoolReader(folder)
    found = [record.content for record in reader.read(0)]
    assert found[: len(before)] == before
    assert found == before + group[: len(found) - len(before)]
    asyncio.run(filled(folder, b"after the restart"))
    reader = SpoolReader(folder)
    found = [record.content for record in reader.read(0)]
    assert found[: len(before)] == before
    assert found[-1] == b"after the restart"
    assert all(content in group for content in found[len(before) : -1])
    assert reader.damage == {}


@pytest.mark.usefixtures("busy")
async def test_full_disk_has_no_room_for_zeros_and_still_takes_mails(tmp_path, monkeypatch):
    """What room there is belongs to mails, and to whoever else writes on that disk."""
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"x" * 400)
    real, tried = disk.write_all, []

    def small(fd: int, data: bytes, offset: int) -> None:
        tried.append(len(data))
        real(fd, data[:2000], offset)
        if len(data) > 2000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(segments, "write_all", small)
    for _ in range(5):
        await append(writer, b"y" * 400)
    await writer.close()

    assert contents(tmp_path) == [b"x" * 400, *[b"y" * 400] * 5]
    assert sum(size > 2000 for size in tried) == 1, "zeros are tried once in a segment"
    assert segment_files(tmp_path)[0].stat().st_size == SpoolReader(tmp_path).end() & 0xFFFFFFFF


@pytest.mark.usefixtures("busy")
async def test_failed_write_of_zeros_ends_the_segment(tmp_path, monkeypatch):
    """Any other failure than want of room says that the disk is not to be trusted there."""
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"x" * 400)
    failing_once(monkeypatch, "write_all", errno.EIO)

    with pytest.raises(SpoolError):
        await append(writer, b"refused")
    await append(writer, b"after")
    await writer.close()

    assert contents(tmp_path) == [b"x" * 400, b"after"]
    assert len(segment_files(tmp_path)) == 2


@pytest.mark.usefixtures("busy")
async def test_damage_before_zeros_is_reported_without_them(tmp_path):
    positions = await filled(tmp_path, b"x" * 400, b"y" * 400)
    end = SpoolReader(tmp_path).end()
    flip(segment_files(tmp_path)[0], (positions[1] & 0xFFFFFFFF) + 6)
    await filled(tmp_path, b"next")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"x" * 400, b"next"]
    assert reader.damage == {positions[1]: end - positions[1]}


# --- Damage -----------------------------------------------------------------------------------------------------------


async def test_flipped_bit_costs_one_mail_and_is_reported(tmp_path, caplog):
    """Wherever in the record it is: what stands before and behind is read, what is lost is counted once."""
    positions = await filled(tmp_path, b"first", b"second", b"third")
    path = segment_files(tmp_path)[0]
    sound = path.read_bytes()
    start, end = (at & 0xFFFFFFFF for at in positions[1:])
    for offset in range(start, end):
        path.write_bytes(sound)
        flip(path, offset)
        caplog.clear()
        reader = SpoolReader(tmp_path)

        assert [record.content for record in reader.read(0)] == [b"first", b"third"]
        assert reader.read(0)  # read again: counted once
        assert reader.damage == {positions[1]: end - start}
        assert len(caplog.records) == 1
        assert "second" not in caplog.text


@pytest.mark.parametrize("restarted", [False, True])
async def test_damaged_last_record_is_not_taken_for_a_torn_tail(tmp_path, restarted):
    positions = await filled(tmp_path, b"first", b"last")
    flip(segment_files(tmp_path)[0], segment_files(tmp_path)[0].stat().st_size - 1)
    if restarted:
        await filled(tmp_path, b"next")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"first"] + [b"next"] * restarted
    assert list(reader.damage) == [positions[1]]


async def test_damage_before_a_lost_mark_is_found_by_what_later_records_vouch_for(tmp_path):
    positions = await filled(tmp_path, b"first", b"second", b"third")
    flip(segment_files(tmp_path)[0], (positions[1] & 0xFFFFFFFF) + 20)
    (tmp_path / "synced").unlink()
    await filled(tmp_path, b"fourth")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"first", b"third", b"fourth"]
    assert list(reader.damage) == [positions[1]]


async def test_record_inside_a_mail_is_never_taken_for_one(tmp_path):
    """A mail holds the bytes of another spool's record, and is itself damaged."""
    await filled(tmp_path / "other", b"forged")
    forged = segment_files(tmp_path / "other")[0].read_bytes()[64:]
    positions = await filled(tmp_path / "spool", b"x" * 50 + forged + b"y" * 50, b"true")
    flip(segment_files(tmp_path / "spool")[0], (positions[0] & 0xFFFFFFFF) + 8)

    assert contents(tmp_path / "spool") == [b"true"]


async def test_damaged_header_of_a_segment_costs_no_mail(tmp_path):
    await filled(tmp_path, b"1")
    await filled(tmp_path, b"2")
    await filled(tmp_path, b"3")
    for path in segment_files(tmp_path)[1:]:
        flip(path, 30)

    assert contents(tmp_path) == [b"1", b"2", b"3"]
    await filled(tmp_path, b"4")
    assert contents(tmp_path) == [b"1", b"2", b"3", b"4"]


async def test_spool_without_one_sound_header_is_set_aside_and_a_new_one_begun(tmp_path, caplog):
    await filled(tmp_path, b"1")
    before = SpoolReader(tmp_path).spool_id
    flip(segment_files(tmp_path)[0], 30)

    await filled(tmp_path, b"2")

    assert contents(tmp_path) == [b"2"]
    assert SpoolReader(tmp_path).spool_id not in {"", before}
    assert [path.name for path in tmp_path.glob("*.damaged")] == ["0000000001.damaged"]
    assert "set aside" in caplog.text


async def test_missing_segment_is_reported(tmp_path, caplog):
    await filled(tmp_path, *[b"x" * 400] * 6, segment_size=1100)
    segment_files(tmp_path)[1].unlink()
    reader = SpoolReader(tmp_path)

    assert len(reader.read(0)) == 4
    assert reader.damage == {2 << 32: 0}
    assert "missing" in caplog.text


async def test_unreadable_block_is_asked_for_again_and_costs_the_mails_in_it_only_in_the_end(tmp_path, monkeypatch):
    """The disk answers EIO for one block of 4 KiB; it may come to itself within the reader's patience."""
    await filled(tmp_path, *[b"%d" % n * 1000 for n in range(1, 10)])
    pread = os.pread

    def failing(fd: int, length: int, offset: int) -> bytes:
        if offset < 8192 and offset + length > 4096:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(fd, length, offset)

    monkeypatch.setattr(os, "pread", failing)
    reader = SpoolReader(tmp_path)
    for _ in range(3):
        with pytest.raises(SpoolError, match="Input/output error"):
            reader.read(0)
    assert not reader.damage
    monkeypatch.setattr("relay.spool.reader.PATIENCE", -1.0)
    found = [record.content[:1] for record in reader.read(0)]

    assert found == [b"1", b"2", b"3", b"9"]
    assert reader.damage


# --- Writes that fail -------------------------------------------------------------------------------------------------


def failing_once(monkeypatch, name: str, error: int) -> None:
    """Let the next call of the disk's `name` fail with `error`."""
    real = getattr(segments, name)
    calls = itertools.count()

    def failing(*args):
        if next(calls) == 0:
            raise OSError(error, os.strerror(error))
        return real(*args)

    monkeypatch.setattr(segments, name, failing)


@pytest.mark.parametrize("call", ["write_all", "sync"])
async def test_failed_write_refuses_all_that_waited_and_the_next_one_works(tmp_path, monkeypatch, call):
    """Nothing that was refused is read later: neither from the old segment nor from a new one."""
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"before")
    failing_once(monkeypatch, call, errno.EIO)

    results = await asyncio.gather(*(append(writer, b"refused") for _ in range(5)), return_exceptions=True)
    await append(writer, b"after")
    await writer.close()

    assert [type(result) for result in results] == [SpoolError] * 5
    assert len({id(result) for result in results}) == 5
    assert contents(tmp_path) == [b"before", b"after"]
    assert len(segment_files(tmp_path)) == 2
    await filled(tmp_path, b"restarted")
    reader = SpoolReader(tmp_path)
    assert [record.content for record in reader.read(0)] == [b"before", b"after", b"restarted"]
    assert reader.damage == {}


async def test_full_disk_at_a_write_takes_the_torn_bytes_back(tmp_path, monkeypatch):
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"before")
    size = segment_files(tmp_path)[0].stat().st_size

    def half(fd: int, data: bytes, offset: int) -> None:
        os.pwrite(fd, data[: len(data) // 2], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(segments, "write_all", half)
        with pytest.raises(SpoolFull):
            await append(writer, b"refused" * 100)
    assert segment_files(tmp_path)[0].stat().st_size == size
    await append(writer, b"after")
    await writer.close()

    assert contents(tmp_path) == [b"before", b"after"]
    assert len(segment_files(tmp_path)) == 1


async def test_surprise_in_the_writer_leaves_nobody_waiting(tmp_path, monkeypatch, caplog):
    writer = SpoolWriter.open(tmp_path)

    def surprising(fd: int) -> None:
        raise RuntimeError("what is this")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "sync", surprising)
        with pytest.raises(SpoolError):
            await append(writer, b"secret content")
    assert await append(writer, b"after")
    await writer.close()

    assert "unforeseen" in caplog.text
    assert "secret content" not in caplog.text


def test_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SpoolError, match=str(tmp_path)):
        SpoolWriter.open(tmp_path / "file" / "spool")


# --- Claims -----------------------------------------------------------------------------------------------------------


def test_claim_that_was_let_go_of_is_none(tmp_path):
    claims = Claims(tmp_path)
    assert claims.open_claim() is None
    claims.begin(10, 90)
    assert claims.open_claim() == (10, 90)
    claims.done()

    assert Claims(tmp_path).open_claim() is None


def test_claim_outlives_the_process_and_counts_tries_of_a_mail(tmp_path):
    """The batch killed the worker; then, mail by mail, the second one did so twice."""
    Claims(tmp_path).begin(10, 90)

    second = Claims(tmp_path)
    assert second.open_claim() == (10, 90)
    assert [second.mark(10), second.mark(40)] == [1, 1]

    third = Claims(tmp_path)
    assert third.open_claim() == (10, 90)
    assert [third.mark(10), third.mark(40)] == [2, 2]
    third.begin(40, 90)
    assert third.mark(40) == 3
    third.done()
    assert Claims(tmp_path).mark(40) == 1


def test_of_the_times_at_which_a_mail_was_understood_three_count_as_one(tmp_path):
    Claims(tmp_path).begin(10, 90)
    times = []
    for _ in range(7):
        claims = Claims(tmp_path)
        times.append(claims.mark(10))
        claims.understood(10)

    assert times == [1, 1, 1, 2, 2, 2, 3]


def test_claim_with_very_many_marks_is_kept_whole(tmp_path):
    claims = Claims(tmp_path)
    claims.begin(0, 1 << 40)
    for at in range(1000):
        claims.mark(at << 20)
    assert Claims(tmp_path).mark(999 << 20) == 2
    claims.done()

    assert Claims(tmp_path).open_claim() is None


def test_claim_is_void_after_a_restart_of_the_machine(tmp_path, monkeypatch):
    """A power cut is no poison."""
    Claims(tmp_path).begin(10, 90)
    monkeypatch.setattr("relay.spool.poison_guard._boot_id", lambda: "another start")

    assert Claims(tmp_path).open_claim() is None


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b'{"boot": 1}', b"[]", b'{"range": [1, 2', b"\xff"])
def test_torn_claim_is_none(tmp_path, text):
    (tmp_path / "claim").write_bytes(text)

    claims = Claims(tmp_path)

    assert claims.open_claim() is None
    claims.begin(1, 2)
    assert Claims(tmp_path).open_claim() == (1, 2)
