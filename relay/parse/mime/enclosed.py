"""The JSON part of our client's mail, found beside the text. What it says is for `relay.parse.json_part` to judge."""

from __future__ import annotations

from itertools import islice

from relay.parse.mime.body import decoded, parts
from relay.parse.mime.headers import Head, split

TYPE = "application/vnd.error-mail+json"
MAX_ENCLOSED = 64 * 1024
"""Bytes of it as sent; the client's own are at most 24,000. A longer one is not looked at."""
_MOST_PARTS = 5


def enclosed_in(head: Head, body: bytes) -> str:
    """The first part of that type right inside the mail, decoded; "" where there is none."""
    if not head.kind.startswith("multipart/"):
        return ""
    for part in islice(parts(body, head.parameter(b"boundary")), _MOST_PARTS):
        part_head, content = split(part)
        if part_head.kind == TYPE:
            return decoded(content, part_head.encoding, "utf-8") if len(content) <= MAX_ENCLOSED else ""
    return ""
