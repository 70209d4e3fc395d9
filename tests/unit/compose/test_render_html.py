"""The HTML part: readable in light and dark mode, and with the same content as the text part."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from relay.compose.example import example_digest
from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.model import Level, MessageKind, Reason
from relay.resources import templates_dir
from tests.support.digests import NOW, Limits, digest, entry

RENDERER = Renderer(None, Limits(), ZoneInfo("Europe/Berlin"), "server-error@example.com")
EXAMPLE = example_digest(NOW, ("yourname@example.com",))
REASONS = [reason.value for reason in Reason]


class Words(HTMLParser):
    """Reads the text of the body, with one space between words, and checks that every tag is closed."""

    VOID = frozenset({"meta", "br", "hr", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data.split()

    @property
    def text(self) -> str:
        assert self.open == []
        return " ".join(self.words)


def html_of(digest) -> str:
    return html_part(RENDERER.digest(digest).raw)


def test_html_shows_what_the_text_shows():
    raw = RENDERER.digest(EXAMPLE).raw

    words, text = Words(html_part(raw)).text, text_part(raw)

    for label, value in re.findall(r"^(\w[\w ]*):  +(.+)$", text, re.MULTILINE):
        if label in (
            "Count",
            "Rate",
            "First seen",
            "Last seen",
            "ID",
            "Location",
            "Function",
            "Time",
            "Host",
            "Logger",
        ):
            assert f"{label} {value}" in words
    for block in re.findall("[▁▂▃▄▅▆▇█]+", text):
        assert block in words
    assert "received = 12 reported" in words
    assert "They balance." in words


def test_example_has_every_reason_and_a_coloured_trace():
    html = html_of(EXAMPLE)

    for reason in REASONS:
        assert f'<span class="tag {reason}"' in html
    assert '<span class="e">ZeroDivisionError</span>' in html
    assert EXAMPLE.books.balanced


def test_styles_are_inlined_and_the_style_sheet_is_for_dark_mode_and_phones():
    html = html_of(EXAMPLE)

    assert re.search(r'<body style="[^"]*background:#fff"', html)
    assert re.search(r'<span class="tag critical" style="[^"]*background:#b0121b;color:#fff"', html)
    assert html.count("<style>") == 1
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 480px)" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


def test_every_tag_is_closed_where_it_was_opened():
    for each in (EXAMPLE, digest(entry()), digest(notes=("x",)), digest(*(entry() for _ in range(40)))):
        assert Words(html_of(each)).text


def test_preheader_has_count_reason_and_time_and_is_hidden():
    html = html_of(digest(entry()))

    preheader = re.search(r'<div class="preheader" style="display:none[^"]*">([^<]+)</div>', html)

    assert preheader is not None
    assert preheader[1] == "1,204×, 301/min ↑, new. 1,204 occurrences, 14:04 to 14:08 CET"


def test_follow_up_and_critical_are_shown_at_the_top():
    catch_up = replace(EXAMPLE, kind=MessageKind.CATCH_UP)

    assert "Follow-up: CRITICAL: 1 new" in Words(html_of(catch_up)).text


def test_colours_are_dropped_first_if_the_mail_is_too_long():
    entries = [entry(title=f"E{n}") for n in range(19)] + [entry(level=Level.CRITICAL)]

    html = html_of(digest(*entries))

    assert 'class="e"' not in html
    assert html.count('<pre class="trace"') == 20


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    colour = "".join(c * 2 for c in colour) if len(colour) == 3 else colour
    channels = (int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def colours(css: str) -> dict[str, tuple[str | None, str | None]]:
    """The background and the text colour in the style sheet, by selector."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        back, fore = (re.search(rf"(?:^|[ ;]){name}: #(\w+)", body) for name in ("background", "color"))
        for selector in selectors.split(","):
            old = found.get(selector.strip(), (None, None))
            found[selector.strip()] = (back[1] if back else old[0], fore[1] if fore else old[1])
    return found


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_is_sufficient_in_both_modes(mode):
    """At least 4.5 to 1 for every text, as WCAG 2 requires at level AA."""
    sheet = (templates_dir() / "mail" / "frame.html").read_text()
    light, dark = sheet.split("@media (prefers-color-scheme: dark) {")
    css = colours(light.replace("@media all {", "") if mode == "light" else dark)
    page, trace = css[".page"][0], css[".trace"][0]

    for name in [*REASONS, "critical", "note"]:
        back, fore = css[f".{name}"]
        assert contrast(str(back), str(fore)) >= 4.5, name
    for name in (".page", ".soft", ".alarm", ".facts td:first-child"):
        assert contrast(str(page), str(css[name][1])) >= 4.5, name
    for name in (".e", ".m", ".k", ".s", ".n", ".c"):
        assert contrast(str(trace), str(css[name][1])) >= 4.5, name
