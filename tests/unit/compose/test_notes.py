"""The sentences about budgets, outages and undelivered digests."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from relay.compose import notes

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def test_times_are_in_the_configured_zone_and_have_a_date_on_another_day():
    note = notes.upstream_was_down(NOON - DAY, NOON, NOON, BERLIN)

    assert note == (
        "The mail server could not be used from 2026-03-01 13:00 to 13:00. "
        "This mail includes the errors that arrived in the meantime."
    )


def test_exhausted_budget_note_names_the_limits_and_the_time():
    note = notes.budget_was_exhausted(20, 1300, NOON, NOON, BERLIN)

    assert note.startswith("The budget of 20 mails an hour and 1,300 a day was used up at 13:00. ")


def test_used_up_budget_note_names_the_time_of_the_next_mail():
    assert "can go out at 13:00," in notes.budget_is_exhausted(NOON, NOON, BERLIN)


def test_undelivered_digest_note_has_its_totals_and_subject():
    note = notes.digest_undelivered("[Shop] 2 new: Boom", 120, 7412, NOON, NOON, BERLIN)

    assert note == (
        "The digest of 13:00 could not be delivered. It reported 7,412 occurrences in 120 mails: [Shop] 2 new: Boom"
    )


def test_mails_are_not_named_if_there_are_as_many_occurrences():
    assert "It reported 1 occurrence: Boom" in notes.digest_undelivered("Boom", 1, 1, NOON, NOON, BERLIN)


def test_subject_in_a_note_stays_on_one_line():
    assert "\n" not in notes.digest_undelivered("Boom\r\nBcc: x@example.com", 1, 1, NOON, NOON, BERLIN)
