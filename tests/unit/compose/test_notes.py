"""The relay's own sentences."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from relay.compose import notes

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def test_moments_are_told_in_the_readers_zone_with_the_date_where_it_is_another_day():
    said = notes.upstream_was_down(NOON - DAY, NOON, NOON, BERLIN)

    assert said == (
        "The mail server could not be used from 2026-03-01 13:00 to 13:00: what came in the meantime is in this mail."
    )


def test_a_budget_that_was_spent_names_its_numbers_and_since_when():
    said = notes.budget_was_spent(20, 1300, NOON, NOON, BERLIN)

    assert said.startswith("The budget of 20 mails an hour and 1,300 a day was spent at 13:00: ")


def test_a_budget_that_is_spent_names_the_next_moment():
    assert "can go out at 13:00," in notes.budget_is_spent(NOON, NOON, BERLIN)


def test_a_dead_digest_stands_with_its_totals():
    said = notes.digest_died("[Shop] 2 new: Boom", 120, 7412, NOON, NOON, BERLIN)

    assert said == (
        "The digest of 13:00 could not be delivered. It told of 7,412 occurrences in 120 mails: [Shop] 2 new: Boom"
    )


def test_where_mails_and_occurrences_are_the_same_one_number_is_enough():
    assert "told of 1 occurrence: Boom" in notes.digest_died("Boom", 1, 1, NOON, NOON, BERLIN)


def test_a_subject_cannot_begin_a_line_of_its_own():
    assert "\n" not in notes.digest_died("Boom\r\nBcc: x@example.com", 1, 1, NOON, NOON, BERLIN)
