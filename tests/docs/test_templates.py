"""Render mails with the templates of docs/templates.md, and compare its tables with the values that templates get."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from relay.compose.example import example_digest
from relay.compose.item import Bar, Item
from relay.compose.message import html_part, text_part
from relay.compose.outline import Page, Totals
from relay.compose.render import Renderer, _environment
from relay.config import load
from relay.model import Books, Digest, DigestLimits, Rendered
from tests.support.doc_snippets import snippets
from tests.support.paths import DOCS, ROOT

PAGE = (DOCS / "templates.md").read_text()
BLOCKS = snippets("templates.md")
FOLDER, SUBJECT, TEXT, HTML = BLOCKS.values()
NOW = datetime(2026, 3, 3, 14, 2, tzinfo=UTC)


def digest_with(folder: Path, **files: str) -> Rendered:
    """Return an example digest, rendered with these files (`body_txt` is `digest.body.txt`)."""
    for name, text in files.items():
        (folder / f"digest.{name.replace('_', '.')}").write_text(text)
    limits = DigestLimits(max_size=90_000, full_errors=20, trace_lines=60)
    rendered = Renderer(folder, limits, UTC, "relay@example.com").digest(example_digest(NOW, ("you@example.com",)))
    assert rendered.faults == ()
    return rendered


def test_relay_takes_the_setting_of_the_page(tmp_path):
    config = tmp_path / "relay.toml"
    (tmp_path / "templates").mkdir()
    config.write_text(FOLDER.replace("/etc/error-mail-relay", str(tmp_path)))

    assert load(config, {}).settings.templates == tmp_path / "templates"


def test_subject_of_the_page_names_the_first_error_and_how_many_more_there_are(tmp_path):
    subject = digest_with(tmp_path, subject_txt=SUBJECT).subject

    assert re.fullmatch(r"\[.+\] .+ \(.+×.*\) and \d+ more", subject)


def test_line_of_the_page_is_below_the_original_text(tmp_path):
    plain = text_part(digest_with(tmp_path).raw)
    changed = text_part(digest_with(tmp_path, body_txt=TEXT).raw)

    assert changed == f"{plain.rstrip()}\nOn call:            https://wiki.example.com/on-call\n"


def test_html_of_the_page_keeps_the_original_content(tmp_path):
    html = html_part(digest_with(tmp_path, body_html=HTML).raw)

    assert "<strong>Example Shop</strong>" in html
    assert html.index("Example Shop") < html.index("</h1>")


def documented(prefix: str) -> set[str]:
    """Return the variables of the tables that begin with `prefix`, without it."""
    cells = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def test_every_variable_of_a_page_is_documented_and_no_other():
    assert documented("page.") == {field.name for field in fields(Page)}


def test_every_variable_of_an_error_is_documented_and_no_other():
    table = PAGE.partition("Each error in")[2].partition("## ")[0]
    names = {
        name for cell in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }

    assert names == {field.name for field in fields(Item)}
    assert {f"`{field.name}`" for field in fields(Bar)} <= set(re.findall(r"`\w+`", table))


def test_documented_parts_of_a_digest_exist():
    public = {name for name in dir(Digest) if not name.startswith("_")}

    assert documented("digest.") - {"subject.txt", "body.txt", "body.html"} <= public
    row = next(line for line in PAGE.splitlines() if line.startswith("| `digest.books`"))
    assert set(re.findall(r"`(\w+)`", row)) == {field.name for field in fields(Books)} | {"balanced"}
    totals = next(line for line in PAGE.splitlines() if line.startswith("| `page.folded`"))
    assert set(re.findall(r"`(\w+)`", totals)) == {field.name for field in fields(Totals)}


def test_every_filter_of_ours_is_documented_and_no_other():
    plain = _environment_of_jinja()
    table = PAGE.partition("## Filters")[2]

    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == plain


def _environment_of_jinja() -> set[str]:
    from jinja2 import DictLoader, Environment

    return set(_environment(DictLoader({}), UTC).filters) - set(Environment().filters)


def test_every_template_is_documented_and_no_other():
    files = {path.name for path in (ROOT / "templates" / "mail").iterdir()}

    assert set(re.findall(r"`([a-z.]+\.(?:txt|html))`", PAGE.partition("Copy the original")[0])) == files


def test_every_snippet_is_run():
    assert list(BLOCKS) == [
        "Set the folder 1 toml",
        "A subject of your own 1 jinja",
        "A line below the text 1 jinja",
        "A logo above the HTML 1 jinja",
    ]
