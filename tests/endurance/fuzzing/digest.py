"""The digest of any mail: the mail adds no header, no markup and no control character to it."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.grouping.fingerprint import fingerprint
from relay.redact import redact
from tests.endurance.fuzzing.report import parsed_report
from tests.support.digests import Limits, digest, entry

_RENDERER = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")
_HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Error-Mail-Relay", "MIME-Version",
    "Content-Type",
]  # fmt: skip
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_ACTIVE = {"a", "img", "link", "script", "iframe", "object", "embed", "form", "base", "svg", "video", "audio", "input"}


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


_USUAL_TAGS = _Tags(html_part(_RENDERER.digest(digest(entry())).raw))


def check(data: bytes) -> None:
    report = redact(parsed_report(data))
    title = fingerprint(report).title
    made = _RENDERER.digest(digest(entry(app=report.app, title=title, level=report.level, sample=report)))

    assert not made.faults
    assert message_from_bytes(made.raw, policy=policy.compat32).keys() == _HEADERS
    assert all(len(line) <= 998 and line.isascii() for line in made.raw.split(b"\r\n"))
    assert b"\n" not in made.raw.replace(b"\r\n", b"")
    assert not re.search(r"[\t\n]", made.subject)
    text, html = text_part(made.raw), html_part(made.raw)
    assert not _INVISIBLE.search(made.subject + text + html)
    tags = _Tags(html)
    assert not tags.names & _ACTIVE
    assert not {
        name for name in tags.attributes - _USUAL_TAGS.attributes if name.startswith("on") or name in ("src", "href")
    }
