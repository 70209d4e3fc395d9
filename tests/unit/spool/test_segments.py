"""Segments after a power cut: torn ends, and zeros ahead of the records, are not damage."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import SpoolError
from relay.spool import SpoolReader, SpoolWriter, disk, segments
from tests.support.spool_files import append, contents, failing_once, filled, flip, segment_files

# --- Torn ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["kept", "lost", "older"])
async def test_torn_end_is_neither_a_mail_nor_damage(tmp_path, mark, caplog):
    """The power fails during the last write, at any byte: the earlier records are there, and the spool goes on."""
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
        reader.close()
    assert caplog.records == []


async def test_lost_pages_of_an_unanswered_group_are_not_damage(tmp_path):
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
async def test_spool_without_its_sync_mark_is_read_up_to_the_last_valid_record(tmp_path, mark):
    """After a power cut, before the receiver runs again."""
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


async def test_unfinished_segment_is_ignored(tmp_path):
    """A crash between the creation of a segment and its rename leaves the old one in place."""
    await filled(tmp_path, b"1")
    (tmp_path / "new").write_bytes(b"EMRSP")

    await filled(tmp_path, b"2")

    assert contents(tmp_path) == [b"1", b"2"]


# --- Zeros ahead of the records ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("busy")
async def test_under_load_most_records_overwrite_zeros(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    sizes = []
    for number in range(100):
        await append(writer, b"x" * 400, number=number)
        sizes.append(segment_files(tmp_path)[0].stat().st_size)
    await writer.close()

    assert len(set(sizes)) < 10
    assert len(contents(tmp_path)) == 100


async def test_segment_with_few_mails_is_as_large_as_its_records(tmp_path):
    positions = await filled(tmp_path, b"x" * 1000, b"y" * 1000)
    reader = SpoolReader(tmp_path)

    assert reader.end() > positions[-1]
    assert segment_files(tmp_path)[0].stat().st_size == reader.end() & 0xFFFFFFFF


@pytest.mark.usefixtures("busy")
async def test_zeros_do_not_exceed_the_segment_size(tmp_path):
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
def test_power_cut_over_zeros_costs_no_answered_mail_and_is_not_damage(
    tmp_path_factory, busy, before, group, reached, lost, mark
):
    """Of an unanswered group the first bytes reached the disk, except for some blocks; the rest is zeros."""
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
    reader.close()
    asyncio.run(filled(folder, b"after the restart"))
    reader = SpoolReader(folder)
    found = [record.content for record in reader.read(0)]
    assert found[: len(before)] == before
    assert found[-1] == b"after the restart"
    assert all(content in group for content in found[len(before) : -1])
    assert reader.damage == {}
    reader.close()


@pytest.mark.usefixtures("busy")
async def test_nearly_full_disk_stores_mails_without_zeros(tmp_path, monkeypatch):
    """The remaining room is for mails, and for other programs that write to that disk."""
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
    """Any failure other than a full disk means that the disk cannot be trusted there."""
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
