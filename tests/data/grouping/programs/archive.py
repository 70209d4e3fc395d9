"""Unpacks what customers send (standard library)."""

import io
import zipfile


def names(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [read(archive, name) for name in archive.namelist()]


def read(archive, name):
    return archive.read(name)


def packed(rng):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"invoice-{rng.randrange(10**5)}.txt", b"A" * 100)
    return buffer.getvalue()


def run_crc(rng):
    """A byte that changed on the way."""
    return names(packed(rng).replace(b"AAAA", b"AABA", 1))


def run_no_zip(rng):
    """Not an archive."""
    return names(bytes(rng.randrange(256) for _ in range(99)))
