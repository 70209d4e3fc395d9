"""Hostile text in mails: it is shown as text and is never a template, HTML, a header or a control character."""

import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.model import Level
from tests.support.digests import TRACE, Limits, digest, entry, report

RENDERER = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")
HOSTILE = (
    "{{ 7*7 }}{% raw %} <script>alert(1)</script><img src=http://evil.example/x onerror=x> \"'&amp; </pre></title>"
)


class Tags(HTMLParser):
    """The tags and attributes of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def everywhere(text: str):
    """An entry with `text` in each of its fields."""
    sample = report(
        subject=text, app=text, logger=text, location=text, module=text, function=text, time=text, message=text,
        trace=f"{TRACE}{text}", environment=text, host=text, release=text,
    )  # fmt: skip
    return entry(app=text, title=text, sample=sample)


def render(*entries, **fields):
    return RENDERER.digest(digest(*entries, **fields))


def test_content_is_never_a_template():
    rendered = render(everywhere(HOSTILE), notes=(HOSTILE,))

    assert "{{ 7*7 }}" in rendered.subject
    assert text_part(rendered.raw).count("{{ 7*7 }}{% raw %}") > 10
    assert "49" not in text_part(rendered.raw) + html_part(rendered.raw)


def test_html_in_content_is_shown_as_text():
    hostile, harmless = (Tags(html_part(render(everywhere(text), notes=(text,)).raw)) for text in (HOSTILE, "harmless"))

    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes


def test_html_loads_nothing_from_other_places():
    html = html_part(render(everywhere("x"), entry(level=Level.CRITICAL), notes=("note",)).raw)

    assert {"img", "link", "script", "iframe", "object", "video", "form", "base"}.isdisjoint(Tags(html).tags)
    assert {"src", "href", "background", "srcset"}.isdisjoint(name for name, _ in Tags(html).attributes)
    assert re.findall(r"url\(|@import|@font-face|https?:", html) == []


@pytest.mark.parametrize(
    "text",
    [
        "x\r\nBcc: victim@example.com\r\n\r\nbody",
        "x\nBcc: victim@example.com",
        "x\u2028Bcc: victim@example.com\x85Bcc: victim@example.com\x0bBcc: a",
        "=?utf-8?q?x=0D=0ABcc:_victim@example.com?=",
        "\x00\x1b[31m\ud800\udfff",
    ],
)
def test_content_never_becomes_a_header(text):
    rendered = render(everywhere(text), notes=(text,), route=text)

    headers = message_from_bytes(rendered.raw, policy=policy.default)

    assert headers.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Error-Mail-Relay", "MIME-Version",
        "Content-Type",
    ]  # fmt: skip
    assert headers["Subject"] == rendered.subject
    assert rendered.subject.isprintable()


def test_characters_that_change_the_reading_order_are_shown_as_escapes():
    rendered = render(everywhere("invoice\u202efdp.exe \u2066x\u200f"))

    for text in (rendered.subject, text_part(rendered.raw), html_part(rendered.raw)):
        assert not set("\u202e\u2066\u200f") & set(text)
        assert "\\u202e" in text


def test_right_to_left_text_is_unchanged():
    assert "خطأ في الخادم" in text_part(render(entry(title="خطأ في الخادم")).raw)


def test_control_characters_are_shown_as_escapes():
    rendered = render(everywhere("a\x1b]0;owned\x07b\x9b2Jc"))

    assert "a\\x1b]0;owned\\x07b\\x9b2Jc" in text_part(rendered.raw)
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text_part(rendered.raw) + html_part(rendered.raw)) == []


def test_empty_fields_are_left_out():
    empty = report(location="", module="", function="", time="", message="", trace="")

    text = text_part(render(entry(app="", title="", sample=empty, timeline=None)).raw)

    assert "Location" not in text
    assert "Timeline" not in text
    assert "(no title)" in text
    assert "(the mail had no text)" in text


def test_error_without_a_sample_is_shown():
    text = text_part(render(entry(sample=None)).raw)

    assert "ZeroDivisionError in checkout" in text
    assert "(no mail of this error is stored)" in text


def test_sample_whose_text_was_not_stored_says_so():
    text = text_part(render(entry(sample=report(message="", trace="", cut=True))).raw)

    assert "(there was no space to store the text of this mail)" in text


def test_records_dropped_by_the_app_are_shown():
    text = text_part(render(entry(sample=report(dropped=1200))).raw)

    assert "Dropped:            1,200 records by the app itself\n" in text
