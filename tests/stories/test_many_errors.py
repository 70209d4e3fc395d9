"""The digests for several errors at the same time, decided by the rules alone."""

from relay.model import Level
from tests.support.timetable import Timetable


def test_errors_within_first_wait_are_in_one_digest():
    """Three errors within ten seconds: one digest, ten seconds after the first."""
    story = Timetable()
    story.mail("0:00:00", "database", count=4)
    story.mail("0:00:03", "cache", count=2)
    story.mail("0:00:09", "login")

    assert story.until("1:00") == ["0:00:10 new database 4, new cache 2, new login 1"]


def test_new_error_soon_after_a_digest_waits_for_the_interval():
    """There is no second digest within five minutes. After that a new error is reported within ten seconds again."""
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


def test_next_digest_includes_the_closing_total_of_a_small_episode():
    story = Timetable()
    story.mail("0:00", "database", count=7)
    story.mail("5:00", "cache")

    assert story.until("9:00") == ["0:00:10 new database 7", "5:00:10 new cache 1, ended database 0"]


def test_ongoing_error_is_not_included_early():
    """The digest at 0:10:40 does not include it. It is due at 0:15:10 and waits until the interval is over."""
    story = Timetable()
    story.flood(90, "0:00", "0:15", "database")
    story.mail("0:10:30", "cache")

    assert story.until("0:20") == [
        "0:00:10 new database 2",
        "0:05:10 ongoing database 30",
        "0:10:40 new cache 1",
        "0:15:40 ongoing database 58",
    ]


def test_critical_error_does_not_wait_for_the_interval():
    """Its digest includes the errors that were waiting, and the interval begins again."""
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


def test_flood_of_five_hundred_new_errors_makes_few_digests():
    """A bad deploy: five hundred different errors in a quarter of an hour. Each is in the first digest after it."""
    story = Timetable()
    for number in range(500):
        minute, second = divmod(number * 900 // 500, 60)
        story.mail(f"0:{minute}:{second}", f"error {number}", count=number % 7 + 1)

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == ["0:00:10", "0:05:10", "0:10:10", "0:15:10"]
    assert sum(line.count("new error") for line in digests) == 500
    assert sum(story.reported.values()) == sum(number % 7 + 1 for number in range(500))


def test_many_ongoing_errors_make_few_digests():
    """Forty errors, each once a minute for six hours. Half of them just miss the first digest, so every later digest is
    followed by a second one five minutes later, for the other half.
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
    assert sum(story.reported.values()) == 360 * 40
