"""Describe how a mail was read, for `relay explain`: its texts, the blocks of the report, and why this is the error.

Not part of ingest. Guarantee: the same functions choose as in `report`, so the description says what ingest did.
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.parse import mime
from relay.parse.document import parts
from relay.parse.document.document import read

MAX_BLOCKS = 20
"""Blocks that are described; of more, the number is named."""


def how_it_is_read(content: bytes) -> Iterator[str]:
    """Yield one line for each text of the mail, then one for each block of the text that reports the error.

    `content` is the mail as received. Its secrets are not in the lines: they name kinds and line numbers only, and the
    names of attachments.
    """
    mail = mime.read(content)
    chosen = parts.report_of(mail)
    document = read(mail.subject, chosen.text)
    yield from _texts(mail, chosen)
    for block in document.blocks[:MAX_BLOCKS]:
        yield f"block: {block}"
    if len(document.blocks) > MAX_BLOCKS:
        yield f"blocks that are not listed: {len(document.blocks) - MAX_BLOCKS}"


def _texts(mail: mime.Mail, chosen: mime.Part) -> Iterator[str]:
    texts = [mime.Part("text/plain", "", mail.text), *mail.others]
    for part in texts:
        name = f"attachment {part.name}" if part.name else "HTML part" if part.kind == "text/html" else "text"
        lines = part.text.count("\n") + 1
        reports = " (the report)" if part.text == chosen.text and part.name == chosen.name else ""
        yield f"part: {name}, {lines} line{'' if lines == 1 else 's'}{reports}"
