"""The spool with real faults: killed processes, a full disk, a limit on file sizes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay.errors import SpoolError, SpoolFull
from relay.model import Envelope, IncomingMail, Retained
from relay.spool import SpoolReader, SpoolWriter
from tests.support.disks import mount_tmpfs

APPENDER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from relay.model import Envelope, IncomingMail, Retained
from relay.spool import SpoolWriter

async def client(writer, name):
    for number in range(10**9):
        content = b"%s-%d-" % (name, number) + b"x" * (number % 3000)
        envelope = Envelope(sender="a@b", recipients=(), peer="")
        await writer.append(IncomingMail(datetime.now(UTC), envelope, Retained.WHOLE, content, len(content)))
        sys.stdout.buffer.write(content.rstrip(b"x") + b"\\n")
        sys.stdout.buffer.flush()

async def main():
    writer = SpoolWriter.open(Path(sys.argv[1]), segment_size=64 << 10)
    await asyncio.gather(*(client(writer, b"%s.%d" % (sys.argv[2].encode(), n)) for n in range(8)))

asyncio.run(main())
"""


def read_all(folder: Path, position: int = 0) -> list[bytes]:
    reader = SpoolReader(folder)
    found = []
    while records := reader.read(position):
        found += [record.content for record in records]
        position = records[-1].end
    assert reader.damage == {}
    return found


def killed_appender(folder: Path, name: str, seconds: float) -> list[bytes]:
    """Run a process that appends, kill it `seconds` after its first output, return the contents it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", APPENDER, str(folder), name], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        time.sleep(seconds)  # the time of the kill is what varies
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    return [first.strip(), *(line for line in rest.split(b"\n")[:-1])]


def test_every_acknowledged_record_survives_kill_9(tmp_path):
    """Six writers, one after the other, are killed at random times; a reader follows and removes what it has read."""
    acknowledged: list[bytes] = []
    found: list[bytes] = []
    position = 0
    for run in range(6):
        acknowledged += killed_appender(tmp_path, f"run{run}", random.uniform(0, 0.2))
        reader = SpoolReader(tmp_path)
        while records := reader.read(position, limit=100):
            found += [record.content.rstrip(b"x") for record in records]
            position = records[-1].end
            reader.release(position)
        assert reader.damage == {}
    asyncio.run(restart(tmp_path))
    found += [content.rstrip(b"x") for content in read_all(tmp_path, position)]

    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


async def restart(folder: Path) -> None:
    """Start and stop a writer: afterwards records beyond the last mark are readable."""
    await SpoolWriter.open(folder).close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount_tmpfs(folder, "size=4m")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def append(writer: SpoolWriter, content: bytes, retained: Retained = Retained.WHOLE) -> int:
    return await writer.append(
        IncomingMail(
            received_at=datetime.now(UTC),
            envelope=Envelope(sender="a@b", recipients=(), peer="127.0.0.1"),
            retained=retained,
            content=content,
            size=len(content),
        )
    )


async def fill(writer: SpoolWriter, content: bytes, retained: Retained = Retained.WHOLE) -> int:
    """Append until the disk is full; return the number of records."""
    for number in range(20_000):
        try:
            await append(writer, content, retained)
        except SpoolFull:
            return number
    raise AssertionError("the disk never got full")


async def test_full_disk_has_room_for_counts_and_recovers_by_itself(small_disk, caplog):
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder, segment_size=1 << 20)
    whole = await fill(writer, b"m" * 50_000)
    assert whole > 40

    for _ in range(2000):
        await append(writer, b"", Retained.COUNT)
        with pytest.raises(SpoolFull):
            await append(writer, b"m" * 50_000)
    assert "mails are only counted" in caplog.text

    reader = SpoolReader(folder)
    records = reader.read(0, limit=10_000, limit_bytes=1 << 30)
    assert [record.retained for record in records] == [Retained.WHOLE] * whole + [Retained.COUNT] * 2000
    reader.release(records[-1].end)

    await append(writer, b"m" * 50_000)
    assert "has room again" in caplog.text
    again = await fill(writer, b"m" * 50_000)
    await append(writer, b"", Retained.COUNT)  # the reserve is restored
    await writer.close()

    rest = reader.read(records[-1].end, limit=10_000, limit_bytes=1 << 30)
    assert [record.retained for record in rest] == [Retained.WHOLE] * (1 + again) + [Retained.COUNT]
    assert again > 20
    assert reader.damage == {}


async def test_counts_are_refused_once_the_reserve_is_used_up(small_disk):
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder)
    await fill(writer, b"m" * 50_000)
    counted = await fill(writer, b"", Retained.COUNT)
    with pytest.raises(SpoolFull, match="free some space"):
        await append(writer, b"", Retained.COUNT)
    await writer.close()

    assert counted > 5000
    reader = SpoolReader(folder)
    retained = [record.retained for record in reader.read(0, limit=100_000, limit_bytes=1 << 30)]
    assert retained.count(Retained.COUNT) == counted


async def test_writer_starts_on_a_full_disk_and_stores_mails_once_there_is_room(small_disk):
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder)
    with pytest.raises(SpoolFull):
        await append(writer, b"x" * 10_000)

    ballast.unlink()
    await append(writer, b"x" * 10_000)
    await writer.close()

    assert read_all(folder) == [b"x" * 10_000]


async def test_restart_on_a_full_disk_still_has_the_reserve(small_disk):
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder)
    whole = await fill(writer, b"m" * 50_000)
    await fill(writer, b"m")
    await writer.close()

    writer = SpoolWriter.open(folder)
    await append(writer, b"", Retained.COUNT)
    await writer.close()

    assert read_all(folder).count(b"m" * 50_000) == whole
    assert read_all(folder)[-1] == b""


async def test_many_simultaneous_counts_use_all_reserve_files(small_disk):
    """As when a thousand clients with long senders finish at once: more than one reserve file can take."""
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder)
    await fill(writer, b"m" * 50_000)
    await fill(writer, b"m")
    bare = Envelope(sender="s" * 600 + "@example.com", recipients=(), peer="127.0.0.1")
    now = datetime.now(UTC)
    counters = [
        writer.append(IncomingMail(received_at=now, envelope=bare, retained=Retained.COUNT, content=b"", size=1))
        for _ in range(1_000)
    ]
    await asyncio.gather(*counters)
    later = await fill(writer, b"", Retained.COUNT)
    await writer.close()

    assert later > 1_000
    records = SpoolReader(folder).read(0, limit=100_000, limit_bytes=1 << 30)
    assert [record.retained for record in records].count(Retained.COUNT) == 1_000 + later


async def test_restarts_on_a_full_disk_keep_the_rest_of_the_reserve(small_disk):
    """Each writer begins a segment of its own: the first one must not take the whole reserve."""
    folder = small_disk / "spool"
    writer = SpoolWriter.open(folder)
    await fill(writer, b"m" * 50_000)
    await fill(writer, b"m")
    for _ in range(3):
        await append(writer, b"", Retained.COUNT)
        await writer.close()
        writer = SpoolWriter.open(folder)
    counted = await fill(writer, b"", Retained.COUNT)
    await writer.close()

    assert counted > 1000
    reader = SpoolReader(folder)
    retained = [record.retained for record in reader.read(0, limit=100_000, limit_bytes=1 << 30)]
    assert retained.count(Retained.COUNT) == 3 + counted
    assert reader.damage == {}


async def test_file_size_limit_is_an_error_and_the_next_segment_works(tmp_path):
    """EFBIG, as from a quota or a file system's limit: a real failed write, not an injected one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = SpoolWriter.open(tmp_path)
    await append(writer, b"first" * 1000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        results = await asyncio.gather(*(append(writer, b"x" * 8000) for _ in range(3)), return_exceptions=True)
        await append(writer, b"small")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await append(writer, b"after" * 10_000)
    await writer.close()

    refused = [result for result in results if isinstance(result, SpoolError)]
    assert refused
    assert read_all(tmp_path).count(b"x" * 8000) == 3 - len(refused)
    assert read_all(tmp_path)[-2:] == [b"small", b"after" * 10_000]
