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


def test_new_error_soon_after_a_digest_is_reported_within_ten_seconds():
    """A digest about another error does not delay it."""
    story = Timetable()
    story.mail("0:00", "database")
    story.mail("0:00:30", "cache")
    story.mail("0:02", "login")
    story.mail("0:20", "search")

    assert story.until("1:00") == [
        "0:00:10 new database 1",
        "0:00:40 new cache 1",
        "0:02:10 new login 1",
        "0:20:10 new search 1, ended database 0, ended cache 0, ended login 0",
    ]


DEPLOY = ("0:00:00", "0:00:05", "0:00:20", "0:00:45", "0:01:10", "0:01:40", "0:02:20", "0:03:00", "0:03:50")


def test_deploy_that_breaks_nine_things_in_four_minutes_makes_five_digests():
    """The gaps between them grow: 10 s, 30 s, 1 min, 2 min."""
    story = Timetable()
    for number, time in enumerate(DEPLOY):
        story.mail(time, f"error {number}")

    assert story.until("0:30") == [
        "0:00:10 new error 0 1, new error 1 1",
        "0:00:30 new error 2 1",
        "0:01:00 new error 3 1",
        "0:02:00 new error 4 1, new error 5 1",
        "0:04:00 new error 6 1, new error 7 1, new error 8 1",
    ]


def test_gaps_start_again_after_a_quarter_of_an_hour_without_news():
    story = Timetable()
    for number, time in enumerate(DEPLOY):
        story.mail(time, f"error {number}")
    story.mail("0:06:30", "sixth digest")
    story.mail("0:24:00", "later")
    story.mail("0:24:15", "and another")

    assert [line.split(",")[0] for line in story.until("1:00")[5:]] == [
        "0:09:00 new sixth digest 1",
        "0:24:10 new later 1",
        "0:24:25 new and another 1",
    ]


def test_news_keep_their_gaps_where_an_ongoing_error_is_reported_in_between():
    """The report of the ongoing error at 0:05:10 is no news: it delays no news, and begins no new gap for them."""
    story = Timetable()
    story.flood(90, "0:00", "0:15", "database")
    story.mail("0:05:15", "cache")
    story.mail("0:05:30", "login")

    assert story.until("0:10") == [
        "0:00:10 new database 2",
        "0:05:10 ongoing database 30",
        "0:05:25 new cache 1",
        "0:05:55 new login 1",
    ]


def test_deploy_that_breaks_an_ongoing_error_reports_the_ongoing_one_no_sooner():
    """News digests include what is due anyway, and nothing else of the ongoing error."""
    story = Timetable()
    story.flood(300, "0:00", "0:10", "database")
    for number, time in enumerate(DEPLOY[2:]):
        story.mail(time, f"error {number}")

    digests = story.until("0:10")

    assert [line.split(",")[0] for line in digests if "database" in line] == [
        "0:00:10 new database 6",
        "0:09:00 ongoing database 265",
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
    """Its digest includes the errors that were waiting, and the gap to the next news grows."""
    story = Timetable()
    story.mail("0:00", "database")
    story.mail("0:00:11", "cache")
    story.mail("0:00:22", "login")
    story.mail("0:00:30", "melting", level=Level.CRITICAL)
    story.mail("0:00:41", "search")

    assert story.until("0:10") == [
        "0:00:10 new database 1",
        "0:00:21 new cache 1",
        "0:00:40 new melting 1, new login 1",
        "0:01:40 new search 1",
    ]


def test_flood_of_five_hundred_new_errors_makes_few_digests():
    """A bad deploy: five hundred different errors in a quarter of an hour. Each is in the first digest after it."""
    story = Timetable()
    for number in range(500):
        minute, second = divmod(number * 900 // 500, 60)
        story.mail(f"0:{minute}:{second}", f"error {number}", count=number % 7 + 1)

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == [
        *("0:00:10", "0:00:22", "0:00:52", "0:01:52", "0:03:52"),
        *("0:08:52", "0:13:52", "0:18:52"),
    ]
    assert sum(line.count("new error") for line in digests) == 500
    assert sum(story.reported.values()) == sum(number % 7 + 1 for number in range(500))


def test_many_ongoing_errors_make_few_digests():
    """Forty errors, each once a minute for six hours. Half of them just miss the first digest and are in the second.
    From then on all of them are in the same digests.
    """
    story = Timetable()
    for minute in range(360):
        for number in range(40):
            story.mail(f"0:{minute}:{number // 20 * 20}", f"error {number}")

    digests = story.until("24:00")

    assert [line.split()[0] for line in digests] == [
        *("0:00:10", "0:00:30", "0:05:30", "0:15:30", "0:35:30"),
        *("1:05:30", "2:05:30", "6:05:30"),
        *("6:14:00", "6:19:00"),
    ]
    assert sum(story.reported.values()) == 360 * 40
