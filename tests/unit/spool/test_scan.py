"""Damaged segments: each whole mail around the damage is read, and the damage is reported."""

from __future__ import annotations

import errno
import os

import pytest

from relay.errors import SpoolError
from relay.spool import SpoolReader
from tests.support.spool_files import contents, filled, flip, segment_files

# --- Damage -----------------------------------------------------------------------------------------------------------


async def test_flipped_bit_costs_one_mail_and_is_reported(tmp_path, caplog):
    """At every byte of the record: the mails before and after are read, and the loss is counted once."""
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
        assert reader.read(0)  # a second read counts it once
        assert reader.damage == {positions[1]: end - start}
        assert len(caplog.records) == 1
        assert "second" not in caplog.text
        reader.close()


@pytest.mark.parametrize("restarted", [False, True])
async def test_damaged_last_record_is_not_taken_for_a_torn_tail(tmp_path, restarted):
    positions = await filled(tmp_path, b"first", b"last")
    flip(segment_files(tmp_path)[0], segment_files(tmp_path)[0].stat().st_size - 1)
    if restarted:
        await filled(tmp_path, b"next")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"first"] + [b"next"] * restarted
    assert list(reader.damage) == [positions[1]]


async def test_damage_before_a_lost_mark_is_found_by_the_synced_positions_of_later_records(tmp_path):
    positions = await filled(tmp_path, b"first", b"second", b"third")
    flip(segment_files(tmp_path)[0], (positions[1] & 0xFFFFFFFF) + 20)
    (tmp_path / "synced").unlink()
    await filled(tmp_path, b"fourth")

    reader = SpoolReader(tmp_path)

    assert [record.content for record in reader.read(0)] == [b"first", b"third", b"fourth"]
    assert list(reader.damage) == [positions[1]]


async def test_forged_record_inside_a_mail_is_never_read(tmp_path):
    """The mail contains the bytes of another spool's record, and is itself damaged."""
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


async def test_spool_without_a_valid_header_is_renamed_and_a_new_one_begins(tmp_path, caplog):
    await filled(tmp_path, b"1")
    before = SpoolReader(tmp_path).spool_id
    flip(segment_files(tmp_path)[0], 30)

    await filled(tmp_path, b"2")

    assert contents(tmp_path) == [b"2"]
    assert SpoolReader(tmp_path).spool_id not in {"", before}
    assert [path.name for path in tmp_path.glob("*.damaged")] == ["0000000001.damaged"]
    assert "not ingested" in caplog.text


async def test_missing_segment_is_reported(tmp_path, caplog):
    await filled(tmp_path, *[b"x" * 400] * 6, segment_size=1100)
    segment_files(tmp_path)[1].unlink()
    reader = SpoolReader(tmp_path)

    assert len(reader.read(0)) == 4
    assert reader.damage == {2 << 32: 0}
    assert "missing" in caplog.text


async def test_unreadable_block_is_retried_before_its_mails_count_as_lost(tmp_path, monkeypatch):
    """The disk fails with EIO for one block of 4 KiB; it may recover within `GIVE_UP_AFTER`."""
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
    monkeypatch.setattr("relay.spool.reader.GIVE_UP_AFTER", -1.0)
    found = [record.content[:1] for record in reader.read(0)]

    assert found == [b"1", b"2", b"3", b"9"]
    assert reader.damage
