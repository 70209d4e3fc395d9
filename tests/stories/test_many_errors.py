"""What the admins hear when several errors come together, told in time."""

from relay.model import Level
from tests.support.timetable import Timetable


def test_what_breaks_together_arrives_together():
    """Three errors within ten seconds: one digest, ten seconds after the first."""
    story = Timetable()
    story.mail("0:00:00", "database", count=4)
    story.mail("0:00:03", "cache", count=2)
    story.mail("0:00:09", "login")

    assert story.until("1:00") == ["0:00:10 new database 4, new cache 2, new login 1"]


def test_a_new_error_soon_after_a_digest_waits_for_the_tick():
    """Within five minutes of a digest there is no second one; after that the first news takes ten seconds again."""
    story = Timetable()
    story.mail("0:00", "database")
    story.mail("0:00:30", "cache")
    story.mail("0:02", "login")
    story.mail("0:20", "search")

    assert story.until("1:00") == [
        "0:00:10 new database 1",
        "0:05:10 new cache 1, new login 1",
        "0:20:10 new search 1, ended database 0, ended cache 0, ended login 0",
    ]


def test_the_closing_total_of_a_small_bout_rides_in_the_next_digest():
    story = Timetable()
    story.mail("0:00", "database", count=7)
    story.mail("5:00", "cache")

    assert story.until("9:00") == ["0:00:10 new database 7", "5:00:10 new cache 1, ended database 0"]


def test_an_ongoing_error_does_not_ride_before_its_turn():
    """The digest about another error at 0:10:40 says nothing of it; its own turn at 0:15:10 waits for the tick."""
    story = Timetable()
    story.flood(90, "0:00", "0:15", "database")
    story.mail("0:10:30", "cache")

    assert story.until("0:20") == [
        "0:00:10 new database 2",
        "0:05:10 ongoing database 30",
        "0:10:40 new cache 1",
        "0:15:40 ongoing database 58",
    ]


def test_a_critical_error_in_the_middle_does_not_wait_for_the_tick():
    """It takes along what was waiting, and the ticks count from it."""
    story = Timetable()
    story.mail("0:00", "database")
    story.mail("0:01", "cache")
    story.mail("0:02", "melting", level=Level.CRITICAL)
    story.mail("0:03", "login")

    assert story.until("0:10") == [
        "0:00:10 new database 1",
        "0:02:10 new melting 1, new cache 1",
        "0:07:10 new login 1",
    ]


def test_a_flood_of_five_hundred_new_errors_makes_few_digests():
    """One bad deploy: five hundred different errors in a quarter of an hour. Each is in the first digest after it."""
    story = Timetable()
    for number in range(500):
        minute, second = divmod(number * 900 // 500, 60)
        story.mail(f"0:{minute}:{second}", f"error {number}", count=number % 7 + 1)

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == ["0:00:10", "0:05:10", "0:10:10", "0:15:10"]
    assert sum(line.count("new error") for line in digests) == 500
    assert sum(story.told.values()) == sum(number % 7 + 1 for number in range(500))


def test_a_flood_of_errors_that_all_go_on_is_still_few_digests():
    """Forty errors, each once a minute for six hours: half of them just miss the first digest, so each of its
    followers has a twin at the next tick, and no error has more.
    """
    story = Timetable()
    for minute in range(360):
        for number in range(40):
            story.mail(f"0:{minute}:{number // 20 * 20}", f"error {number}")

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == [
        "0:00:10",
        *("0:05:10", "0:10:10"),
        *("0:15:10", "0:20:10"),
        *("0:35:10", "0:40:10"),
        *("1:05:10", "1:10:10"),
        *("2:05:10", "2:10:10"),
        *("6:05:10", "6:10:10"),
        "6:15:10",
    ]
    assert sum(story.told.values()) == 360 * 40
