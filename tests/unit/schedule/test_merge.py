"""The life cycle of a merged error: which phase, mute, episode and due time two errors have together and apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Arrival, Group, Level, Member, MergedBy, Phase, Reason, Timing
from relay.schedule.group import arrive, mark_reported, mute, reason
from relay.schedule.merge import count, face_of, join, joint, leave, shares_stay
from relay.schedule.mutes import is_muted

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TIMING = Timing()
BY = MergedBy(author="anna", reason="", at=NOON)


def arrival(mails: int, at: datetime, level: Level = Level.ERROR) -> Arrival:
    return Arrival(mails=mails, occurrences=mails, first=at, last=at, level=level)


def error(number: int, mails: int = 1, at: datetime = NOON, level: Level = Level.ERROR) -> Group:
    empty = Group(
        id=number, route="admins", app="shop", fingerprint=str(number), version=1, title=str(number), level=level,
        first_seen=at, last_seen=at, episode_since=at,
    )  # fmt: skip
    return arrive(empty, arrival(mails, at, level), TIMING)


def reported(group: Group, at: datetime) -> Group:
    return mark_reported(group, reason(group, TIMING, at) or Reason.ONGOING, TIMING, at)


def merged(one: Group, other: Group, now: datetime = NOON) -> list[Member]:
    both = joint(one, other, TIMING, now)
    return join([Member(group=one)], [Member(group=other)], both, BY)


def face(members: list[Member]) -> Group:
    return face_of(members).group


def apart(members: list[Member], part: int, now: datetime = NOON) -> dict[int, Group]:
    return {each.group.id: each.group for each in leave(members, [part], TIMING, now)}


def test_new_error_merged_into_a_known_one_is_not_new():
    known = reported(error(1), NOON + MINUTE)

    found = face(merged(known, error(2, 3, NOON + HOUR), NOON + HOUR))

    assert (found.phase, found.pending_mails) == (Phase.OPEN, 3)
    assert reason(found, TIMING, NOON + DAY, caught_up=False) is Reason.ONGOING


def test_known_error_merged_into_a_new_one_is_not_new_either():
    known = reported(error(2), NOON + MINUTE)

    found = face(merged(error(1, 3, NOON + HOUR), known, NOON + HOUR))

    assert (found.id, found.phase, found.reported_at) == (1, Phase.OPEN, NOON + MINUTE)


def test_two_new_errors_are_one_new_error_that_is_due_when_the_first_was():
    one, other = error(1, 1, NOON + SECOND), error(2, 1, NOON)

    found = face(merged(one, other, NOON + SECOND))

    assert (found.phase, found.due_at, found.pending_since) == (Phase.FRESH, other.due_at, NOON)


def test_worst_level_of_what_is_pending_counts():
    found = face(merged(error(1, level=Level.CRITICAL), error(2)))

    assert found.level is Level.CRITICAL


def test_episode_of_an_error_that_has_ended_is_no_part_of_the_joint_one():
    ended = reported(error(1, 50), NOON + HOUR)
    assert ended.phase is Phase.ENDED

    found = face(merged(ended, error(2, 3, NOON + DAY), NOON + DAY))

    assert (found.occurrences, found.episode_occurrences, found.episode_since) == (53, 3, NOON + DAY)


def test_active_mute_of_the_second_error_ends_and_what_it_muted_is_said():
    quiet = arrive(mute(error(2), NOON + DAY, TIMING, now=NOON), arrival(5, NOON + MINUTE), TIMING)

    found = face(merged(error(1), quiet, NOON + HOUR))

    assert not is_muted(found, NOON + HOUR)
    assert (found.muted_mails, found.muted_until) == (5, NOON + HOUR)
    assert found.due_at is not None


def test_mute_of_the_face_holds_for_the_second_error():
    found = face(merged(mute(error(1), NOON + DAY, TIMING, now=NOON), error(2), NOON + HOUR))

    assert is_muted(found, NOON + HOUR)
    assert found.due_at is not None
    assert found.due_at >= NOON + DAY


def test_part_is_never_due():
    part = merged(error(1), error(2, 500))[1].group

    assert (part.due_at, part.pending_mails, part.pending_occurrences, part.phase) == (None, 0, 0, Phase.ENDED)


def test_what_was_reported_together_is_pending_for_neither_after_they_part_company():
    members = merged(error(1, 2), error(2, 3))
    after = replace(members[0], group=reported(members[0].group, NOON + MINUTE))

    found = apart([after, members[1]], 2)

    assert [group.pending_mails for group in found.values()] == [0, 0]
    assert {number: group.mails for number, group in found.items()} == {1: 2, 2: 3}
    assert all(group.merged_into is None for group in found.values())


def test_part_that_leaves_is_no_news():
    members = merged(reported(error(1), NOON + MINUTE), error(2, 3, NOON + HOUR), NOON + HOUR)

    found = apart(members, 2, NOON + HOUR)[2]

    assert (found.phase, found.pending_mails) == (Phase.OPEN, 3)


def test_share_of_a_part_grows_with_its_own_mails_alone():
    members = merged(error(1), error(2))
    before = face(members)
    after = arrive(before, arrival(7, NOON + MINUTE), TIMING)
    part = count(members[1], before, after, arrival(3, NOON + MINUTE))

    found = apart([replace(members[0], group=after), part], 2)

    assert {number: (group.mails, group.pending_mails) for number, group in found.items()} == {1: (5, 5), 2: (4, 4)}


def test_parts_of_a_face_that_stays_as_it_is_need_not_be_read():
    known, new = reported(error(1), NOON + MINUTE), error(2, 1, NOON + HOUR)

    assert shares_stay(known, joint(known, new, TIMING, NOON + HOUR), new)
    assert not shares_stay(new, joint(new, known, TIMING, NOON + HOUR), known)


@pytest.mark.parametrize("part", [1, 99])
def test_only_a_part_can_leave(part):
    with pytest.raises(ValueError, match="parts of the error 1"):
        leave(merged(error(1), error(2)), [part], TIMING, NOON)
