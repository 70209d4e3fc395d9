"""The header by which a proxy names its client: HAProxy's PROXY protocol, versions 1 and 2.

Only read from networks that are configured as proxies. From any other client it is an unknown command.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.proxy_protocol import get_proxy

from relay.receive.networks import plain_address

_V1, _V2 = b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_V1 = 107
_LONGEST_V2 = 16 + 2048


class BadHeader(Exception):
    """The proxy's bytes are not a valid header."""


def header_length(data: bytes) -> int | None:
    """Return the length in bytes of the header that `data` begins with, None if it is incomplete. Raises BadHeader."""
    if data.startswith(_V1[: len(data)]):
        end = data.find(b"\r\n", 0, _LONGEST_V1)
        if end < 0 and len(data) >= _LONGEST_V1:
            raise BadHeader
        return None if end < 0 else end + 2
    if data.startswith(_V2[: len(data)]):
        if len(data) < 16:
            return None
        length = 16 + int.from_bytes(data[14:16], "big")
        if length > _LONGEST_V2:
            raise BadHeader
        return length if len(data) >= length else None
    raise BadHeader


def client_address(header: bytes) -> str | None:
    """Return the client's address from a complete header, None if the proxy speaks for itself. Raises BadHeader."""
    reader = asyncio.StreamReader()
    reader.feed_data(header)
    reader.feed_eof()
    reading = get_proxy(reader)
    try:
        reading.send(None)  # the whole header is buffered: the reader never waits
    except StopIteration as done:
        return _checked_address(done.value)
    reading.close()
    raise BadHeader


def _checked_address(found: Any) -> str | None:
    if not found.valid:
        raise BadHeader
    return plain_address(str(found.src_addr)) if found.src_addr else None
