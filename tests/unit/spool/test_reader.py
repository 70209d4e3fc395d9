"""The reader: reads each appended mail once and in order, while the writer continues and segments are removed."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import Envelope, IncomingMail, Retained
from relay.spool import PoisonGuard, SpoolReader, SpoolWriter, segments
from tests.support.spool_files import START, append, contents, filled, segment_files

# --- Records come back unchanged --------------------------------------------------------------------------------------


async def test_record_is_read_as_it_was_written(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    sender = Envelope(sender="", recipients=("ä@exämple.com", "b\udcff@x"), peer="::1")

    position = await writer.append(
        IncomingMail(
            received_at=START, envelope=sender, retained=Retained.ENDS, content=b"\x00\xff\r\n.\r\n", size=12_345_678
        )
    )
    (record,) = SpoolReader(tmp_path).read(0)
    await writer.close()

    assert (record.position, record.received_at, record.envelope) == (position, START, sender)
    assert (record.retained, record.content, record.size) == (Retained.ENDS, b"\x00\xff\r\n.\r\n", 12_345_678)
    assert record.end > record.position


@pytest.mark.usefixtures("busy")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=3000), max_size=30), st.integers(500, 5000))
def test_any_contents_are_read_in_order_across_segments(tmp_path_factory, given_contents, segment_size):
    folder = tmp_path_factory.mktemp("spool")

    asyncio.run(filled(folder, *given_contents, segment_size=segment_size))

    assert contents(folder) == given_contents


async def test_read_continues_where_the_last_one_ended(tmp_path):
    positions = await filled(tmp_path, b"1", b"2", b"3")
    reader = SpoolReader(tmp_path)

    first = reader.read(0, limit=1)
    rest = reader.read(first[0].end)

    assert [record.content for record in first + rest] == [b"1", b"2", b"3"]
    assert [record.position for record in first + rest] == positions
    assert reader.read(rest[-1].end) == []


async def test_read_stops_at_its_limits_but_returns_at_least_one_record(tmp_path):
    await filled(tmp_path, *[b"x" * 1000] * 5)
    reader = SpoolReader(tmp_path)

    assert len(reader.read(0, limit=3)) == 3
    assert len(reader.read(0, limit_bytes=2000)) == 2
    assert len(reader.read(0, limit_bytes=1)) == 1


async def test_end_and_waiting_show_how_much_is_left(tmp_path):
    await filled(tmp_path, *[b"x" * 400] * 5, segment_size=1000)
    reader = SpoolReader(tmp_path)
    records = reader.read(0)

    assert reader.end() == records[-1].end
    assert [reader.waiting(record.position) for record in records] == [5, 4, 3, 2, 1]
    assert reader.waiting(reader.end()) == 0


async def test_repeated_waiting_counts_new_and_removed_records(tmp_path):
    """One reader, as the pages have it, while segments grow, are begun and are removed."""
    writer = SpoolWriter.open(tmp_path, segment_size=600)
    reader, ingest = SpoolReader(tmp_path), SpoolReader(tmp_path)
    positions: list[int] = []
    for number in range(30):
        positions.append(await append(writer, b"x" * 90, number=number))
        done = number // 3
        ingest.release(positions[done])
        assert reader.waiting(positions[done]) == number + 1 - done
    assert len(segment_files(tmp_path)) > 3
    assert reader.waiting(reader.end()) == 0
    await writer.close()


async def test_repeated_waiting_does_not_read_the_backlog_again(tmp_path, monkeypatch):
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

    assert sum(sizes) < 100 * len(segment_files(tmp_path))  # headers only


def test_missing_spool_is_empty(tmp_path):
    reader = SpoolReader(tmp_path / "none")

    assert (reader.spool_id, reader.read(0), reader.end(), reader.waiting(0)) == ("", [], 0, 0)
    reader.release(5)


async def test_only_the_owner_may_read_the_spool(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o755)
    mask = os.umask(0)
    try:
        await filled(folder, b"x")
        PoisonGuard(folder).close()
    finally:
        os.umask(mask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_envelope_with_a_nul_is_refused_before_anything_is_written(tmp_path):
    writer = SpoolWriter.open(tmp_path)

    with pytest.raises(ValueError, match="NUL"):
        await writer.append(
            IncomingMail(
                received_at=START,
                envelope=Envelope(sender="a\0b", recipients=(), peer=""),
                retained=Retained.WHOLE,
                content=b"",
                size=0,
            )
        )
    await append(writer, b"next")
    await writer.close()

    assert contents(tmp_path) == [b"next"]


# --- Reader beside writer ---------------------------------------------------------------------------------------------


async def test_reader_follows_the_writer_and_removes_finished_segments(tmp_path):
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


async def test_reader_sees_only_synced_records(tmp_path, monkeypatch):
    writer = SpoolWriter.open(tmp_path)
    reader = SpoolReader(tmp_path)
    await append(writer, b"synced")
    seen_at_sync: list[list[bytes]] = []
    monkeypatch.setattr(segments, "sync", lambda _: seen_at_sync.append([r.content for r in reader.read(0)]))

    await append(writer, b"under way")
    await writer.close()

    assert seen_at_sync == [[b"synced"]]
    assert contents(tmp_path) == [b"synced", b"under way"]


async def test_release_removes_finished_segments_and_never_the_newest(tmp_path):
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
    """A receiver that restarts again and again without mails does not fill the disk."""
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


async def test_positions_are_never_reused(tmp_path):
    """Not after a restart, and not after everything was ingested and removed."""
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


async def test_ingested_mails_are_removed_even_if_few_mails_arrive(tmp_path, monkeypatch):
    """The spool holds unredacted mails with all their secrets, so it keeps them no longer than needed."""
    monkeypatch.setattr("relay.spool.writer.RENEW_AFTER", 0.0)
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


async def test_empty_segment_is_not_renewed(tmp_path):
    opened = segments.SegmentLog.open(tmp_path, 1 << 20)
    opened.renew()
    opened.close()

    assert len(segment_files(tmp_path)) == 1


async def test_number_of_segments_is_bounded_while_nothing_is_ingested(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MAX_SEGMENTS", 3)
    monkeypatch.setattr("relay.spool.writer.RENEW_AFTER", 0.0)
    writer = SpoolWriter.open(tmp_path)
    for number in range(3):
        await append(writer, b"mail", number=number)
        await until(lambda: len(segment_files(tmp_path)) == min(3, number + 2))  # noqa: B023 -- called at once
    for number in range(20):
        await append(writer, b"mail", number=number)
    await writer.close()

    assert len(segment_files(tmp_path)) == 3
    assert len(contents(tmp_path)) == 23


async def test_positions_of_a_deleted_segment_are_never_reused(tmp_path):
    """The ledger may have ingested it: a new mail at such a position would be taken for an old one."""
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


async def test_two_readers_continue_from_the_same_position_after_a_restart(tmp_path):
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
