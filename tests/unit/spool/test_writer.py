"""The writer: mails share a sync, `append` returns after it, a failed write refuses all mails of its group."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from relay.errors import InUse, SpoolError, SpoolFull
from relay.model import IncomingMail, Retained
from relay.spool import SpoolReader, SpoolWriter, segments
from tests.support.spool_files import START, append, contents, envelope, failing_once, filled, segment_files

# --- Group commit -----------------------------------------------------------------------------------------------------


async def test_concurrent_mails_share_a_sync(tmp_path):
    writer = SpoolWriter.open(tmp_path)

    positions = await asyncio.gather(*(append(writer, b"%d" % n) for n in range(1000)))
    await writer.close()

    assert (writer.records, len(set(positions))) == (1000, 1000)
    assert writer.syncs <= 5
    assert sorted(contents(tmp_path), key=int) == [b"%d" % n for n in range(1000)]


async def test_each_append_returns_the_position_of_its_own_record(tmp_path):
    writer = SpoolWriter.open(tmp_path, segment_size=4096)
    positions = await asyncio.gather(*(append(writer, b"%d" % n) for n in range(200)))
    await writer.close()
    reader = SpoolReader(tmp_path)

    assert [reader.read(at, limit=1)[0].content for at in positions] == [b"%d" % n for n in range(200)]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and at Linux' call")
async def test_append_returns_after_the_sync_of_its_bytes(tmp_path, monkeypatch):
    """At the time of the sync the record is in the file, and no reply was sent."""
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
        IncomingMail(
            received_at=START, envelope=envelope(), retained=Retained.WHOLE, content=content, size=len(content)
        ),
        done=done.put_nowait,
        more=lambda _: more,
    )


async def test_group_waits_for_mails_that_are_about_to_arrive(tmp_path, monkeypatch):
    monkeypatch.setattr("relay.spool.writer.GROUP_WAIT", 1000.0)
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()

    submit(writer, b"first", done, more=True)
    for _ in range(5):
        await asyncio.sleep(0)  # a group that does not wait begins in the next loop iteration
    submit(writer, b"second", done, more=True)
    assert done.empty()
    submit(writer, b"last", done, more=False)
    positions = [position for _ in range(3) if isinstance(position := await done.get(), int)]
    await writer.close()

    assert len(positions) == 3
    assert positions == sorted(positions)
    assert (writer.records, writer.syncs) == (3, 1)


async def test_group_waits_no_longer_than_its_limit(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    done: asyncio.Queue[int | SpoolError] = asyncio.Queue()

    submit(writer, b"one", done, more=True)
    assert isinstance(await done.get(), int)
    submit(writer, b"another", done, more=True)
    await writer.close()

    assert isinstance(done.get_nowait(), int)
    assert contents(tmp_path) == [b"one", b"another"]


async def test_mails_that_gather_during_a_sync_also_wait_for_more(tmp_path, monkeypatch):
    """The writer asks whether more mails are coming when a group can begin, not when its mails arrived."""
    monkeypatch.setattr("relay.spool.writer.GROUP_WAIT", 1000.0)
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


async def test_mails_that_gather_during_a_slow_sync_are_written_at_once(tmp_path, monkeypatch):
    """The thread starts the next group itself: the event loop is blocked here, and more mails would be coming."""
    monkeypatch.setattr("relay.spool.writer.GROUP_WAIT", 0.0)
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


async def test_cancelled_append_does_not_affect_others(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    left = asyncio.ensure_future(append(writer, b"left"))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(append(writer, b"%d" % n)) for n in range(5)]
    left.cancel()

    await asyncio.gather(*others)
    await writer.close()

    assert set(contents(tmp_path)) >= {b"%d" % n for n in range(5)}


async def test_close_waits_for_running_appends_and_refuses_new_ones(tmp_path):
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


# --- Failed writes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write_all", "sync"])
async def test_failed_write_refuses_its_whole_group_and_the_next_one_works(tmp_path, monkeypatch, call):
    """A refused mail is never read later, neither from the old segment nor from a new one."""
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


async def test_full_disk_removes_the_torn_bytes(tmp_path, monkeypatch):
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


async def test_unexpected_error_in_the_writer_answers_every_mail(tmp_path, monkeypatch, caplog):
    writer = SpoolWriter.open(tmp_path)

    def fail_unexpectedly(fd: int) -> None:
        raise RuntimeError("what is this")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "sync", fail_unexpectedly)
        with pytest.raises(SpoolError):
            await append(writer, b"secret content")
    assert await append(writer, b"after")
    await writer.close()

    assert "unexpected error" in caplog.text
    assert "secret content" not in caplog.text


def test_folder_that_cannot_be_created_is_a_spool_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SpoolError, match=str(tmp_path)):
        SpoolWriter.open(tmp_path / "file" / "spool")


# --- Wake-ups ---------------------------------------------------------------------------------------------------------


async def test_writer_says_so_after_each_group_that_is_on_the_disk(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    readable: list[int] = []
    writer.on_change = lambda: readable.append(len(contents(tmp_path)))

    await append(writer, b"first")
    await append(writer, b"second")
    await writer.close()

    assert readable == [1, 2], "when it is said, a reader finds the mail"


async def test_writer_says_nothing_after_a_group_that_failed(tmp_path, monkeypatch):
    writer = SpoolWriter.open(tmp_path)
    said: list[None] = []
    writer.on_change = lambda: said.append(None)
    failing_once(monkeypatch, "sync", errno.EIO)

    with pytest.raises(SpoolError):
        await append(writer, b"lost")
    await writer.close()

    assert said == []


async def test_writer_says_so_after_another_segment_was_begun(tmp_path, monkeypatch):
    """The former one can be removed then, with the mails in their original form."""
    monkeypatch.setattr("relay.spool.writer.RENEW_AFTER", 0.0)
    writer = SpoolWriter.open(tmp_path)
    renewed = asyncio.Event()
    segments_before = len(segment_files(tmp_path))

    def on_change() -> None:
        if len(segment_files(tmp_path)) > segments_before:
            renewed.set()

    writer.on_change = on_change
    await append(writer, b"first")
    await asyncio.wait_for(renewed.wait(), 30)
    await writer.close()
