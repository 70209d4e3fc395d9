"""Write mails into a spool, read them all, and change the files that hold them."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relay.model import Envelope, IncomingMail, Retained
from relay.spool import SpoolReader, SpoolWriter, segments

START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def envelope(number: int = 0) -> Envelope:
    return Envelope(sender=f"app{number}@example.com", recipients=("a@example.com", "b@example.com"), peer="127.0.0.1")


async def append(writer: SpoolWriter, content: bytes, *, retained: Retained = Retained.WHOLE, number: int = 0) -> int:
    return await writer.append(
        IncomingMail(
            received_at=START + timedelta(seconds=number),
            envelope=envelope(number),
            retained=retained,
            content=content,
            size=len(content),
        )
    )


async def filled(folder: Path, *contents: bytes, segment_size: int = 1 << 20) -> list[int]:
    """Append `contents` one after the other, close the spool and return their positions."""
    writer = SpoolWriter.open(folder, segment_size=segment_size)
    positions = [await append(writer, content) for content in contents]
    await writer.close()
    return positions


def contents(folder: Path, position: int = 0) -> list[bytes]:
    """Read everything from `position` on, in small steps."""
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


def failing_once(monkeypatch, name: str, error: int) -> None:
    """Let the next call of the disk function `name` fail with `error`."""
    real = getattr(segments, name)
    calls = itertools.count()

    def failing(*args):
        if next(calls) == 0:
            raise OSError(error, os.strerror(error))
        return real(*args)

    monkeypatch.setattr(segments, name, failing)
