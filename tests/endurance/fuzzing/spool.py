"""The spool with segments damaged in any way: records are read in order, and no gap goes unreported."""

from __future__ import annotations

import tempfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from relay.spool import SpoolReader
from relay.spool.record import decode_head
from relay.spool.scan import Found, SegmentFile, walk
from relay.spool.segment import Header, segment_path

_ID = bytes(range(16))


def check(data: bytes) -> None:
    """If the first byte is even, a valid header is put before the other bytes; otherwise they stay as they are."""
    sound = data[:1] and data[0] % 2 == 0
    header = Header(spool_id=_ID, number=1, synced=0, exact=False).encode() if sound else b""
    with tempfile.TemporaryDirectory(dir=_FOLDER) as name:
        folder = Path(name)
        segment_path(folder, 1).write_bytes(header + data[1:])
        with closing(SpoolReader(folder)) as reader:
            records = reader.read(0)
            assert all(one.end <= other.position for one, other in pairwise(records))
            assert reader.end() >= (records[-1].end if records else 0)
            assert reader.waiting(0) <= len(data) // 8
        _check_scan(folder)
    decode_head(data, 1)


def _check_scan(folder: Path) -> None:
    source = SegmentFile(segment_path(folder, 1), chunk=64)
    try:
        offset = 0
        for item in walk(source, 0, 1):
            assert item.offset == offset < item.end
            assert not isinstance(item, Found) or item.body is not None
            offset = item.end
        assert offset == source.limit
    finally:
        source.close()


_FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None
