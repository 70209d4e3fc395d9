"""The format of one mail in a segment: a head of fixed length, the envelope, the content.

The fields of the head and their sizes in bytes:

    magic 4 | crc of the head 4 | crc of the body 4 | body's length 4 | envelope's length 4 |
    retained 1, 3 unused | received at 8 | original size 8 | synced 8 || envelope | content

Little-endian. crc is CRC-32, seeded with the spool's id. So a sender cannot forge a record inside a mail: it would have
to know that id. The envelope is peer, sender and recipients in UTF-8, separated by NUL.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from relay.model import Envelope, IncomingMail, Record, Retained

MAGIC = b"\xf5\x9cM\x1e"
"""First bytes of a record; no text in UTF-8 contains them."""

_HEAD = struct.Struct("<4sIIIIB3xqQQ")
_CRC_END = 8
HEAD_SIZE = _HEAD.size
_KINDS = (Retained.WHOLE, Retained.ENDS, Retained.COUNT)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Head(NamedTuple):
    """A valid record head. Lengths are in bytes, `received_at` in microseconds since 1970."""

    body_crc: int
    body_length: int
    envelope_length: int
    kind: int
    received_at: int
    size: int
    synced: int
    """The position up to which the spool was synced when this record was written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be written: everything that can be encoded before its position is known."""

    head: tuple[int, int, int, int]
    """The envelope's length, kind, received_at and size, as in `Head`."""
    body: bytes

    @classmethod
    def of(cls, mail: IncomingMail) -> Draft:
        """Encode a mail. Raises ValueError if a text of the envelope contains a NUL, or if the size is negative."""
        received_at, envelope, retained, content, size = mail
        texts = (envelope.peer, envelope.sender, *envelope.recipients)
        if any("\0" in text for text in texts):
            raise ValueError("an envelope cannot contain a NUL")
        if size < 0:
            raise ValueError("a mail cannot have a negative size")
        packed = "\0".join(texts).encode("utf-8", "surrogateescape")
        microseconds = (received_at - _EPOCH) // _MICROSECOND
        return cls((len(packed), _KINDS.index(retained), microseconds, size), packed + content)

    def __len__(self) -> int:
        return HEAD_SIZE + len(self.body)

    def encode(self, *, synced: int, seed: int) -> bytes:
        """Return the record's bytes; `seed` comes from `seed()`, `synced` is as in `Head`."""
        head = _HEAD.pack(MAGIC, 0, zlib.crc32(self.body, seed), len(self.body), *self.head, synced)[_CRC_END:]
        return b"".join((MAGIC, zlib.crc32(head, seed).to_bytes(4, "little"), head, self.body))


def seed(spool_id: bytes) -> int:
    """Return the initial value of the checksums in the spool `spool_id`."""
    return zlib.crc32(spool_id)


def decode_head(data: bytes, seed: int) -> Head | None:
    """Return the head that `data` holds, None if it is not valid."""
    if len(data) != HEAD_SIZE or not data.startswith(MAGIC):
        return None
    _, crc, *fields = _HEAD.unpack(data)
    head = Head(*fields)
    if crc != zlib.crc32(data[_CRC_END:], seed) or head.kind >= len(_KINDS):
        return None
    return head


def is_body(head: Head, body: bytes, seed: int) -> bool:
    """True if `body` is complete and matches the checksum in `head`."""
    return len(body) == head.body_length and zlib.crc32(body, seed) == head.body_crc


def decode(head: Head, body: bytes, *, position: int, end: int) -> Record:
    """Return the record with a valid head and body that lies from `position` to `end`."""
    peer, sender, *recipients = body[: head.envelope_length].decode("utf-8", "surrogateescape").split("\0")
    return Record(
        position=position,
        end=end,
        received_at=_EPOCH + head.received_at * _MICROSECOND,
        envelope=Envelope(sender=sender, recipients=tuple(recipients), peer=peer),
        retained=_KINDS[head.kind],
        content=body[head.envelope_length :],
        size=head.size,
    )
