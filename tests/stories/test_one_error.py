"""The digests about one error, decided by the rules alone."""

from relay.model import Level
from tests.support.timetable import Timetable, at


def test_hundred_thousand_equal_mails_in_ten_minutes_make_four_digests():
    """The first after 10 s, then 5 and 10 minutes later, then the closing total. Every mail is counted."""
    story = Timetable()
    story.flood(100_000, "0:00", "0:10")

    digests = story.until("48:00")

    assert digests == [
        "0:00:10 new boom 1834",
        "0:05:10 ongoing boom 50000",
        "0:15:10 ongoing boom 48166",
        "0:24:59 ended boom 0",
    ]
    assert story.reported == {"boom": 100_000}
    assert story.groups["boom"].episode_occurrences == 100_000
    assert story.groups["boom"].peak == 10_000


def test_hundred_thousand_mails_make_at_most_four_digests_however_they_are_spread():
    """Most of them at the beginning, in the middle or at the end: a spike adds no digest."""
    for begin, end in (("0:00", "0:01"), ("0:05", "0:06"), ("0:09", "0:10"), ("0:02", "0:09")):
        story = Timetable()
        story.flood(600, "0:00", "0:10")
        story.flood(99_400, begin, end)

        digests = story.until("48:00")

        assert len(digests) <= 4, digests
        assert story.reported == {"boom": 100_000}


def test_single_mail_is_reported_once_without_a_closing_total():
    story = Timetable()
    story.mail("0:00")

    assert story.until("72:00") == ["0:00:10 new boom 1"]


def test_gaps_grow_to_four_hours_while_an_error_is_ongoing():
    """Once a minute for a day: at +5, +10, +20, +30 min, +1 h, then every 4 h, and a closing total."""
    story = Timetable()
    story.flood(24 * 60, "0:00", "24:00")

    digests = story.until("48:00")

    assert [line.split()[0] for line in digests] == [
        "0:00:10",
        "0:05:10",
        "0:15:10",
        "0:35:10",
        "1:05:10",
        "2:05:10",
        "6:05:10",
        "10:05:10",
        "14:05:10",
        "18:05:10",
        "22:05:10",
        "24:14:00",
    ]
    assert digests[-1] == "24:14:00 ended boom 114"
    assert story.reported == {"boom": 24 * 60}


def test_error_that_ends_with_mails_pending_gets_one_digest_for_both():
    """A large episode ends in the middle of a long gap: one digest follows, without waiting for the hour."""
    story = Timetable()
    story.flood(700, "0:00", "1:10")

    digests = story.until("24:00")

    assert digests[-2:] == ["1:05:10 ongoing boom 300", "1:24:54 ended boom 48"]
    assert story.reported == {"boom": 700}


def test_small_episode_waits_for_its_gap_and_gets_no_closing_total():
    """Below a hundred the end gets no mail of its own, but pending mails are reported when they are due."""
    story = Timetable()
    story.mail("0:00")
    story.mail("0:01", count=3)
    story.mail("0:06", count=2)

    assert story.until("24:00") == ["0:00:10 new boom 1", "0:05:10 ongoing boom 3", "0:15:10 ongoing boom 2"]


def test_error_seen_again_continues_at_its_step_and_is_not_new():
    story = Timetable()
    story.flood(3000, "0:00", "0:30")
    before = story.until("1:00")
    story.mail("1:00", count=5)
    story.mail("1:00:40", count=7)

    assert before[-1] == "0:44:59 ended boom 0"
    assert story.until("24:00") == ["1:44:59 again boom 12"]


def test_error_every_twenty_minutes_is_ongoing_and_not_again():
    """It was quiet for longer than `ended_after` each time, but no digest said that it had ended."""
    story = Timetable()
    for minute in range(0, 240, 20):
        story.mail(f"0:{minute}", count=2)

    digests = story.until("24:00")

    assert {line.split()[1] for line in digests} == {"new", "ongoing", "ended"}
    assert story.reported == {"boom": 24}


def test_error_after_a_day_of_quiet_is_back_and_treated_as_new():
    """It is reported after 10 s again, with the time when it was last seen, and the gaps start again."""
    story = Timetable()
    story.flood(200, "0:00", "0:20")
    story.until("24:00")
    story.mail("24:30")
    story.mail("24:31", count=4)

    digests = story.until("25:00")

    assert digests == ["24:30:10 back boom 1", "24:35:10 ongoing boom 4"]
    assert story.groups["boom"].seen_before == at("0:19:54")


def test_spike_is_reported_when_the_interval_is_over():
    """Once a minute for over an hour, so that the gap is an hour; then a hundred times as many."""
    story = Timetable()
    story.flood(70, "0:00", "1:10")
    before = story.until("1:10")
    story.flood(6000, "1:10", "2:00")

    digests = story.until("1:20")

    assert before[-1] == "1:05:10 ongoing boom 30"
    assert digests == ["1:10:20 spike boom 46", "1:15:20 spike boom 600"]


def test_doubled_rate_is_not_a_spike():
    story = Timetable()
    story.flood(600, "0:00", "1:00")
    story.until("1:00")
    story.flood(600, "1:00", "1:30")

    assert story.until("1:30") == ["1:05:10 ongoing boom 352"]


def test_nineteen_in_a_minute_are_not_a_spike():
    story = Timetable()
    story.flood(12, "0:00", "2:00")
    story.until("2:10")
    story.mail("2:20", count=19)

    assert not any("spike" in line for line in story.until("12:00"))


def test_critical_error_has_the_same_growing_gaps():
    """CRITICAL skips the interval of the route but not the growing gaps, so a flood of them stays readable."""
    story = Timetable()
    for second in range(600):
        story.mail(f"0:00:{second}", level=Level.CRITICAL, count=100)

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == ["0:00:10", "0:05:10", "0:15:10", "0:24:59"]


def test_closing_total_includes_what_was_muted_and_comes_with_the_next_digest():
    """The mute ends at 2:00. Nothing is pending then, so no mail is sent before another error causes one."""
    story = Timetable()
    story.flood(300, "0:00", "0:05")
    story.until("0:05:11")
    story.mute("boom", "2:00")
    story.flood(90, "0:10", "0:40")
    story.mail("5:00", "other")

    digests = story.until("24:00")

    assert digests == ["5:00:10 new other 1, ended boom 0"]
    assert story.groups["boom"].episode_occurrences == 390
    assert story.groups["boom"].episode_muted == 90


def test_error_that_goes_on_after_its_mute_is_reported_with_the_mails_since_then():
    story = Timetable()
    story.flood(300, "0:00", "0:05")
    story.until("0:05:11")
    story.mute("boom", "1:00")
    story.flood(60, "0:10", "1:00")
    story.flood(120, "1:00", "1:10")

    digests = story.until("24:00")

    assert digests == ["1:00:10 ongoing boom 3", "1:20:10 ongoing boom 117", "1:25:10 ended boom 0"]
    assert story.groups["boom"].episode_occurrences == 480
    assert story.groups["boom"].episode_muted == 60


def test_muted_error_is_not_reported_until_the_mute_ends():
    """Mails pending before the mute are reported after it. Mails during the mute only count for the total."""
    story = Timetable()
    story.mail("0:00")
    story.mail("0:02", count=3)
    story.until("0:04")
    story.mute("boom", "2:00")
    story.mail("1:00", count=50)

    digests = story.until("24:00")

    assert digests[0] == "2:00:00 ended boom 3"
    assert story.groups["boom"].occurrences == 54
