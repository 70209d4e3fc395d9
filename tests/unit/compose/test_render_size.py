"""A digest fits its size limit whatever it contains, and what is left out is counted."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.model import Entry, Level, MessageKind
from tests.support.any_digest import any_digest, digests
from tests.support.digests import NOW, TRACE, Limits, books, digest, entry, report

UTC_ZONE = ZoneInfo("UTC")


def renderer(**limits) -> Renderer:
    return Renderer(None, Limits(**limits), UTC_ZONE, "server-error@example.com")


def many(number: int, **fields) -> Iterator[Entry]:
    for n in range(number):
        yield entry(occurrences=number - n, group_id=n, title=f"ValueError in step_{n:04}", **fields)


def shown_in_full(text: str) -> int:
    return len(re.findall(r"^Message type:", text, re.MULTILINE))


def test_twenty_ordinary_errors_are_shown_in_full():
    text = text_part(renderer().digest(digest(*many(20))).raw)

    assert shown_in_full(text) == 20
    assert text.count("ZeroDivisionError: division by zero") == 20


def test_errors_beyond_full_errors_get_one_line_each_by_count():
    entries = list(many(30))

    text = text_part(renderer(full_errors=3).digest(digest(*reversed(entries))).raw)

    assert shown_in_full(text) == 3
    assert re.findall(r"^\d+ of 30: NEW: (.+)$", text, re.MULTILINE) == [e.title for e in entries[:3]]
    lines = re.findall(r"^ +(\d+)  new +(ValueError in step_\d+) +([\d,]+)×", text, re.MULTILINE)[3:]
    assert lines == [(str(e.group_id), e.title, f"{e.occurrences:,}") for e in entries[3:]]


def test_critical_error_is_shown_in_full_whatever_its_count():
    rare = entry(occurrences=1, level=Level.CRITICAL, title="DiskFull in save")

    text = text_part(renderer(full_errors=2).digest(digest(*many(10), rare)).raw)

    assert "1 of 11: NEW, CRITICAL: DiskFull in save" in text


def assert_that_counts_add_up(text: str, entries: list[Entry]) -> None:
    """The errors shown and the errors left out add up to all entries, which are sorted by count."""
    omitted = re.search(
        r"([\d,]+)(?: more)? errors did not fit in this mail: ([\d,]+) occurrences? in ([\d,]+) mails", text
    )
    assert omitted is not None
    errors, occurrences, mails = (int(number.replace(",", "")) for number in omitted.groups())
    shown = re.findall(r"^ +\d+  new .* ([\d,]+)×", text, re.MULTILINE)
    assert len(shown) == len(entries) - errors
    assert occurrences == mails == sum(e.occurrences for e in entries[len(shown) :])
    assert f"{sum(e.occurrences for e in entries):,} occurrences, " in text


def test_five_thousand_errors_fit_in_one_mail_with_exact_totals():
    entries = list(many(5000))

    rendered = renderer().digest(digest(*entries))

    assert len(rendered.raw) <= 90_000
    assert "5,000 new" in rendered.subject
    assert shown_in_full(text_part(rendered.raw)) > 5
    assert_that_counts_add_up(text_part(rendered.raw), entries)


def test_long_trace_keeps_its_beginning_and_its_end():
    frames = "".join(f'  File "/srv/x.py", line {n}, in f{n}\n    g()\n' for n in range(20_000))
    huge = report(trace=f"Traceback (most recent call last):\n{frames}ValueError: at last")

    text = text_part(renderer(trace_lines=60).digest(digest(entry(sample=huge))).raw)

    trace = text[text.index("Traceback") :].partition("\n\n-----")[0].splitlines()
    assert len(trace) == 60
    assert trace[0] == "Traceback (most recent call last):"
    assert "… 39,943 lines left out …" in trace
    assert trace[-1] == "ValueError: at last"


@pytest.mark.parametrize("text", ["x" * 300_000, "é\n" * 100_000, "▁" * 50_000, "<&>" * 60_000, "= " * 90_000])
def test_very_long_texts_are_cut_to_the_limit(text):
    sample = report(message=text, trace=f"{TRACE}{text}", location=text, host=text, time=text)

    rendered = renderer().digest(digest(*many(25, sample=sample), notes=(text,) * 60))

    assert len(rendered.raw) <= 90_000
    assert shown_in_full(text_part(rendered.raw)) >= 1


def test_smallest_limit_still_has_the_totals():
    entries = list(many(300))
    notes = ("A sentence of the relay itself. " * 30,) * 30

    rendered = renderer(max_size=10_000).digest(digest(*entries, notes=notes, recipients=("a@example.com",) * 400))

    assert len(rendered.raw) <= 10_000
    assert_that_counts_add_up(text_part(rendered.raw), entries)


@pytest.mark.parametrize("text", ["\U0001f9e8" * 5000, "=?" * 5000, "<&" * 5000, "\u202e" * 5000, "a b" * 5000])
@pytest.mark.parametrize("number", [1, 300])
def test_smallest_limit_holds_for_the_longest_values_of_all_fields(text, number):
    address = "a" * 60 + "@" + ("b" * 60 + ".") * 3 + "example.com"
    longest = digest(
        *(
            entry(app=f"{text[n:]}", title=text, level=Level.CRITICAL, sample=report(message=text))
            for n in range(number)
        ),
        kind=MessageKind.CATCH_UP,
        route=text,
        notes=(text,) * 30,
        recipients=(address,) * 50,
        thread=f"<{'x' * 200}@{'y' * 200}>",
        books=books(received=10**12),
    )

    rendered = Renderer(None, Limits(max_size=10_000), UTC_ZONE, address).digest(longest)

    assert len(rendered.raw) <= 10_000


def test_notices_are_bounded_too():
    notice = renderer().notice(
        id="a" * 32, recipients=("a@b",), created_at=NOW, title="x" * 5000, lines=["y" * 5000] * 5000
    )

    assert len(notice.raw) <= 90_000
    assert "4,980 further notes did not fit in this mail." in text_part(notice.raw)


def test_equal_digests_give_equal_bytes():
    forty = digest(*many(40))

    assert renderer().digest(forty).raw == renderer().digest(forty).raw


@any_digest
@given(digests, st.integers(10_000, 90_000))
def test_any_digest_becomes_a_mail_within_the_limit(digest, max_size):
    rendered = renderer(max_size=max_size).digest(digest)

    assert len(rendered.raw) <= max_size
    assert rendered.raw.isascii()
    assert max(map(len, rendered.raw.split(b"\r\n"))) <= 998
    assert rendered.faults == ()
    assert "</html>" in html_part(rendered.raw)
