"""Groups in the states that the scheduler distinguishes, around noon of one day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.model import Arrival, Fingerprint, Group, Level, Reason, Timing
from relay.schedule.group import arrive, mark_reported, open_group

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMING = Timing()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def fresh(number: int, at: datetime = NOON, *, count: int = 1, level: Level = Level.ERROR) -> Group:
    """A group that is not reported yet."""
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=level)
    error = Fingerprint(version=1, key=str(number), title=f"error {number}")
    opened = open_group(route="admins", app="shop", fingerprint=error, arrival=arrival)
    return arrive(replace(opened, id=number), arrival, TIMING)


def known(number: int, at: datetime = NOON, *, count: int = 1) -> Group:
    """A group that was first reported at `at`."""
    return mark_reported(fresh(number, at - 10 * SECOND, count=count), Reason.NEW, TIMING, at)


def ongoing(number: int, at: datetime, *, reported: datetime = NOON, count: int = 1) -> Group:
    """A group that was first reported at `reported` and came again at `at`."""
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=Level.ERROR)
    return arrive(known(number, reported), arrival, TIMING)


def again() -> Group:
    """A group that ended at noon and was seen again at once."""
    closed = mark_reported(known(1, NOON - 30 * MINUTE), Reason.ENDED, TIMING, NOON)
    arrival = Arrival(mails=3, occurrences=3, first=NOON, last=NOON, level=Level.ERROR, minutes={NOON: 3})
    return arrive(closed, arrival, TIMING)
