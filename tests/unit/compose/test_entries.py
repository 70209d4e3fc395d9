"""The entries of a digest, and merging the entries of several digests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.compose.entries import attach_samples, entry, merged, shown_in_full
from relay.model import Arrival, Entry, Fingerprint, Form, Group, Level, Reason, Report, Timeline, Timing
from relay.schedule.group import arrive, mark_reported, open_group

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMING = Timing()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def mails(first: datetime, count: int, last: datetime | None = None) -> Arrival:
    last = last or first
    minutes = {last.replace(second=0): 3 * count}
    return Arrival(mails=count, occurrences=3 * count, first=first, last=last, level=Level.ERROR, minutes=minutes)


def group(number: int = 1, count: int = 10) -> Group:
    """An error of `count` mails, each standing for three, within two minutes from noon on."""
    arrival = mails(NOON, count, NOON + 2 * MINUTE)
    error = Fingerprint(version=1, key=str(number), title=f"error {number}")
    return arrive(
        replace(open_group(route="admins", app="shop", fingerprint=error, arrival=arrival), id=number), arrival, TIMING
    )


def entry_of(number: int = 1, why: Reason = Reason.NEW, **changes) -> Entry:
    return replace(entry(group(number), why), **changes)


def test_entry_has_the_pending_counts_and_the_totals():
    later = arrive(mark_reported(group(), Reason.NEW, TIMING, NOON + 3 * MINUTE), mails(NOON + 4 * MINUTE, 2), TIMING)

    news = entry(later, Reason.ONGOING)

    assert (news.group_id, news.app, news.title, news.level) == (1, "shop", "error 1", Level.ERROR)
    assert (news.mails, news.occurrences, news.total_occurrences, news.episode_occurrences) == (2, 6, 36, 36)
    assert (news.since, news.until) == (NOON + 4 * MINUTE, NOON + 4 * MINUTE)
    assert (news.rate, news.rate_before) == (6.0, 15.0)
    assert (news.first_seen, news.last_seen, news.episode_since) == (NOON, NOON + 4 * MINUTE, NOON)
    assert news.peak == 30


def test_episode_begins_apart_from_the_first_mail_of_the_error():
    again = replace(group(), episode_since=NOON + HOUR)

    assert (entry(again, Reason.AGAIN).first_seen, entry(again, Reason.AGAIN).episode_since) == (NOON, NOON + HOUR)


def test_closing_total_with_nothing_pending_has_zero_mails_and_the_totals():
    news = entry(mark_reported(group(), Reason.NEW, TIMING, NOON + 3 * MINUTE), Reason.ENDED)

    assert (news.mails, news.occurrences, news.rate) == (0, 0, 0.0)
    assert (news.since, news.until) == (NOON + 2 * MINUTE, NOON + 2 * MINUTE)
    assert (news.episode_occurrences, news.peak) == (30, 30)


def test_seen_before_is_set_only_for_the_reasons_that_it_explains():
    seen_before = replace(group(), seen_before=NOON - 48 * HOUR)

    assert entry(seen_before, Reason.BACK).seen_before == NOON - 48 * HOUR
    assert entry(seen_before, Reason.AGAIN).seen_before == NOON - 48 * HOUR
    assert entry(seen_before, Reason.ONGOING).seen_before is None


def test_window_is_never_negative():
    """The clock was set back between the first pending mail and the last."""
    news = entry(replace(group(), pending_since=NOON + HOUR), Reason.NEW)

    assert news.since <= news.until


def test_entries_of_one_group_are_merged_with_summed_counts():
    first = entry_of(mails=4, occurrences=40, since=NOON, until=NOON + MINUTE, rate_before=2.0, total_occurrences=40)
    second = entry_of(
        why=Reason.ONGOING,
        mails=6,
        occurrences=60,
        since=NOON + 5 * MINUTE,
        until=NOON + 10 * MINUTE,
        rate_before=40.0,
        total_occurrences=100,
        peak=55,
    )

    (one,) = merged([first, second])

    assert (one.mails, one.occurrences, one.total_occurrences, one.peak) == (10, 100, 100, 55)
    assert (one.since, one.until, one.rate, one.rate_before) == (NOON, NOON + 10 * MINUTE, 10.0, 2.0)
    assert one.reason is Reason.NEW, "the recipient got neither digest"


def test_merged_entry_has_the_last_reason_unless_one_is_new():
    (one,) = merged([entry_of(why=Reason.ONGOING), entry_of(why=Reason.SPIKE), entry_of(why=Reason.ENDED)])

    assert one.reason is Reason.ENDED


def test_merged_entry_stays_back_and_keeps_when_it_was_seen_before():
    (one,) = merged([entry_of(why=Reason.BACK, seen_before=NOON - 48 * HOUR), entry_of(why=Reason.ONGOING)])

    assert (one.reason, one.seen_before) == (Reason.BACK, NOON - 48 * HOUR)


def test_closing_total_does_not_extend_the_window():
    first = entry_of(since=NOON, until=NOON + MINUTE)
    closing = entry_of(why=Reason.ENDED, mails=0, occurrences=0, since=NOON + 9 * MINUTE, until=NOON + 9 * MINUTE)

    (one,) = merged([first, closing])

    assert (one.since, one.until) == (NOON, NOON + MINUTE)


def test_merged_entries_keep_the_worst_level_and_are_sorted_by_level_and_count():
    entries = [
        entry_of(1, occurrences=5),
        entry_of(2, occurrences=9),
        entry_of(3, level=Level.CRITICAL, occurrences=1),
        entry_of(1, level=Level.WARNING, occurrences=6),
    ]

    assert [(each.group_id, each.level, each.occurrences) for each in merged(entries)] == [
        (3, Level.CRITICAL, 1),
        (1, Level.ERROR, 11),
        (2, Level.ERROR, 9),
    ]


def test_critical_and_then_the_most_frequent_errors_are_shown_in_full():
    entries = [entry_of(1, occurrences=5), entry_of(2, occurrences=9), entry_of(3, level=Level.CRITICAL, occurrences=1)]

    assert [each.group_id for each in shown_in_full(entries, 2)] == [3, 2]


def test_timelines_and_samples_are_attached_by_group():
    timeline = Timeline(since=NOON, step=MINUTE, counts=(1, 2))
    sample = Report(form=Form.PLAIN, subject="s", sender="", app="shop")

    first, second = attach_samples([entry_of(1), entry_of(2)], {1: timeline}, {2: sample})

    assert (first.timeline, first.sample, second.timeline, second.sample) == (timeline, None, None, sample)
