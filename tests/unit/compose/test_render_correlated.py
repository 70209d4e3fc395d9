"""A failure that was logged in two places, in the digest: one error with both places and both counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.model import Digest, Entry, Rendered
from tests.support.digests import Limits, digest, entry, report

BERLIN = ZoneInfo("Europe/Berlin")
POOL = "sqlalchemy.pool.impl.QueuePool"


def failure(number: int = 7, occurrences: int = 1204, *, echoes: int = 1, **fields: Any) -> list[Entry]:
    """An entry and its echoes; each echo has one occurrence less, as if a mail were still on its way."""
    sample = report(trace="", location="/srv/shop/pool.py:743", logger=POOL)
    echo = entry(group_id=number, title="OperationalError in rollback", sample=sample, occurrences=occurrences - 1)
    others = [replace(echo, group_id=number + place, echo_of=number) for place in range(1, echoes + 1)]
    return [entry(group_id=number, occurrences=occurrences, **fields), *others]


def rendered(of: Digest, **limits: int) -> Rendered:
    return Renderer(None, Limits(**limits), BERLIN, "relay@example.com").digest(of)


def text_of(*entries: Entry, **limits: int) -> str:
    return text_part(rendered(digest(*entries), **limits).raw)


def test_entry_names_the_other_place_with_its_count():
    text = text_of(*failure())

    assert f"Also logged:        1,203× at /srv/shop/pool.py:743 by {POOL} (ID 8)\n" in text
    assert "Count:              1,204 in 4 min\n" in text
    assert "OperationalError in rollback" not in text


def test_each_further_place_has_a_line():
    text = text_of(*failure(echoes=3))

    assert [f"(ID {number})" in text for number in (8, 9, 10, 11)] == [True, True, True, False]


def test_both_counts_are_shown_and_not_added():
    assert "1,204 occurrences, logged 2,407 times, 14:04 to 14:08 CET" in text_of(*failure())


def test_number_of_mails_is_shown_too_if_they_stand_for_many():
    entries = [replace(each, mails=10) for each in failure()]

    assert "1,204 occurrences, logged 2,407 times in 20 mails, " in text_of(*entries)


def test_subject_shows_one_error():
    subject = rendered(digest(*failure())).subject

    assert subject == "[YourApplication Failed] new: ZeroDivisionError in checkout (1,204×, 301/min ↑)"


def test_failure_counts_as_one_error_beside_others():
    text = text_of(*failure(), entry(group_id=99, occurrences=3, title="KeyError in cart"))

    assert "YourApplication Failed: 2 new\n1,207 occurrences, logged 2,410 times, " in text
    assert "2 of 2: NEW: KeyError in cart" in text


def test_html_part_shows_the_same():
    html = html_part(rendered(digest(*failure())).raw)

    assert f"1,203× at /srv/shop/pool.py:743 by {POOL} (ID 8)" in html
    assert "OperationalError in rollback" not in html


def test_one_line_entry_shows_both_counts():
    text = text_of(*failure(occurrences=5), *failure(20, 9), full_errors=1)

    assert " ↑ (also logged: 4× ID 8)\n" in text


def test_other_place_without_a_location_is_shown_by_its_title():
    head, echo = failure()

    assert "1,203× as OperationalError in rollback (ID 8)" in text_of(head, replace(echo, sample=None))


def test_errors_that_do_not_fit_are_counted_with_all_their_mails():
    text = text_of(*(each for number in range(100, 700, 2) for each in failure(number, 5)), max_size=10_000)

    omitted = next(line for line in text.splitlines() if "did not fit in this mail" in line)
    shown = text.count("(also logged: 4× ID")
    errors = int(omitted.split()[0])
    assert errors + shown == 300
    assert omitted.endswith(f": {5 * errors:,} occurrences in {9 * errors:,} mails.")


def test_footer_counts_every_mail():
    assert "this digest's own\n                    2,407 mails count as pending" in text_of(*failure())
