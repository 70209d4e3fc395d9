"""The digest step on a real ledger: leases, turns that moved, bounds, and what it does when rendering fails."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from relay.digest import tick
from relay.digest.step import LEASE, LEASE_FOR
from relay.errors import LeaseLost, TemplateError
from relay.model import Digest, Level, Phase, Rendered, Timing
from relay.schedule.group import mute, unmute
from tests.support.story_world import ANN, BOB, World
from tests.support.timetable import SECOND, at


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def with_a_mail(world: World, count: int = 1, **how) -> None:
    """A mail at 0:00, sorted, the first digest ten seconds later still to come."""
    world.mail("0:00", "boom", count, **how)
    world.until("0:00:05")


# --- When it looks ----------------------------------------------------------------------------------------------------


def test_nothing_due_is_nothing_done(world):
    with_a_mail(world)

    assert world.digests.step(at("0:00:09")) is False
    assert world.ledger.messages() == []


def test_what_is_due_becomes_a_letter_once(world):
    with_a_mail(world)

    assert world.digests.step(at("0:00:10")) is True
    assert world.digests.step(at("0:00:12")) is False

    (letter,) = world.ledger.messages()
    assert [each.recipient for each in letter.deliveries] == [ANN]
    assert (letter.mails, letter.created_at) == (1, at("0:00:10"))


def test_it_looks_once_a_second_however_often_it_is_called(world):
    with_a_mail(world)
    assert world.digests.step(at("0:00:09")) is False

    assert world.digests.step(at("0:00:09") + timedelta(milliseconds=999)) is False
    assert world.digests.step(at("0:00:10")) is True


def test_a_clock_that_was_set_back_does_not_stop_it(world):
    """It looked, led and told a day ahead of what is now the time."""
    world.now = at("30:00")
    world.mail("30:00", "boom")
    assert world.until("30:01")[ANN] == ["30:00:10 new boom 1"]

    world.now = at("0:20")
    world.mail("0:20", "other")
    world.mail("0:21", "boom", 2)

    assert world.until("0:40")[ANN] == ["0:20:10 new other 1"]
    assert world.until("6:00")[ANN] == ["4:21:00 ongoing boom 2, ended other 0"], "the last gap is the longest wait"


# --- Under a lease ----------------------------------------------------------------------------------------------------


def test_only_one_of_two_workers_schedules(world):
    with_a_mail(world)
    world.digests.step(at("0:00:08"))

    assert world.worker("two").step(at("0:00:10")) is False
    assert world.digests.step(at("0:00:10")) is True


def test_another_worker_takes_over_when_the_first_is_gone(world):
    with_a_mail(world)

    assert world.worker("two").step(at("0:00") + LEASE_FOR + SECOND) is True


def test_whoever_was_overtaken_writes_nothing_and_waits_for_its_turn(world):
    """The first worker slept through its lease: its token is stale, whatever it believes."""
    with_a_mail(world)
    slow = world.digests
    slow.step(at("0:00:08"))
    assert world.ledger.lease(LEASE, "two", at("0:00:30"), LEASE_FOR) is not None

    assert slow.step(at("0:00:10")) is False
    assert world.ledger.messages() == []
    assert slow.step(at("0:00:50")) is True


def test_two_workers_on_one_ledger_tell_each_mail_once(tmp_path):
    """They take turns, each believing to lead now and then."""
    world = World(tmp_path)
    workers = [world.worker("one"), world.worker("two")]
    for minute in range(30):
        world.mail(f"0:{minute}", f"error {minute % 4}", count=minute + 1)
    for turn in range(150):
        world.digests = workers[turn % 2]
        world.until(f"0:00:{40 * turn}")

    assert sum(world.told[ANN].values()) == sum(range(1, 31))
    assert world.books.balanced
    assert world.books.pending == 0
    world.close()


# --- Turns that moved -------------------------------------------------------------------------------------------------


def test_a_group_that_was_muted_is_not_looked_at_again_before_its_time(world):
    with_a_mail(world)
    (group,) = world.ledger.groups()
    world.ledger.revise(group.id, lambda group: mute(group, at("3:00"), world.settings.timing))

    assert world.until("2:59") == {}
    (muted,) = world.ledger.groups()
    assert muted.due_at == at("3:00")
    assert world.until("3:10") == {ANN: ["3:00:00 new boom 1"]}


def test_unmuted_it_is_told_in_the_next_look(world):
    with_a_mail(world)
    (group,) = world.ledger.groups()
    world.ledger.revise(group.id, lambda group: mute(group, at("3:00"), world.settings.timing))
    world.until("1:00")
    world.ledger.revise(group.id, lambda group: unmute(group, world.settings.timing))

    assert world.until("1:01")[ANN] == ["1:00:00 new boom 1"]


def test_shorter_gaps_in_the_settings_hold_from_the_next_mail_on(tmp_path):
    world = World(tmp_path, timing={"steps": "1h"})
    world.mail("0:00")
    world.mail("0:10", count=2)
    world.mail("0:12", count=3)
    world.until("0:11")

    world.settings = world.settings.model_copy(update={"timing": Timing()})
    world.digests = world.worker("two")

    assert world.until("0:59")[ANN] == ["0:12:00 ongoing boom 5"]
    world.close()


def test_an_error_has_not_ended_while_the_sorter_lags_behind(world):
    world.mail("0:00", count=500)
    world.until("0:10")
    world.caught_up = False
    assert world.until("1:00") == {}

    world.caught_up = True
    assert world.until("1:31") == {ANN: ["1:00:00 ended boom 0"]}


# --- Bounds -----------------------------------------------------------------------------------------------------------


def test_more_errors_than_a_digest_holds_are_told_in_the_next(world, monkeypatch):
    monkeypatch.setattr("relay.schedule.route.MAX_ENTRIES", 5)
    for number in range(12):
        world.mail("0:00", f"error {number}")

    inbox = world.until("0:12")[ANN]

    assert [line.count("new") for line in inbox] == [5, 5, 2]
    assert sum(world.told[ANN].values()) == 12


def test_one_routes_flood_does_not_hide_anothers_news(tmp_path, monkeypatch):
    """The flooded route's only recipient is stuck, so that its groups stay due and are the first that are found."""
    monkeypatch.setattr(tick, "DUE_LIMIT", 5)
    world = World(tmp_path, admins=(BOB,), route=[{"name": "night", "recipients": [ANN]}])
    world.post.puts_off = {ANN}
    world.mail("0:00", "first", route="night")
    world.until("0:01")
    for number in range(10):
        world.mail("0:01", f"error {number}", route="night")
    world.mail("0:30", "boom")

    assert world.until("1:00") == {BOB: ["0:30:10 new boom 1"]}
    world.close()


def test_a_follow_up_that_would_grow_too_long_is_two(tmp_path, monkeypatch):
    monkeypatch.setattr(tick, "MAX_ENTRIES", 2)
    world = World(tmp_path, admins=(ANN, BOB), timing={"ended_after": "5h"})
    world.post.puts_off = {ANN}
    for number in range(5):
        world.mail(f"0:{6 * number}", f"error {number}")
    world.until("0:50")
    world.post.puts_off = set()

    inbox = world.until("2:00")[ANN]

    assert [line.split(maxsplit=1)[1] for line in inbox] == [
        "new error 0 1",
        "+new error 1 1, new error 2 1",
        "+new error 3 1, new error 4 1",
    ]
    assert world.told[ANN] == world.told[BOB]
    world.close()


# --- When rendering fails ---------------------------------------------------------------------------------------------


class Brittle:
    """A renderer that fails on a sample, as no renderer should."""

    def __init__(self, world: World) -> None:
        self._renderer = world.renderer

    def digest(self, digest: Digest) -> Rendered:
        if any(entry.sample for entry in digest.entries):
            raise TemplateError("body.html, line 7: this sample is too much")
        return self._renderer.digest(digest)


def test_a_sample_that_cannot_be_rendered_does_not_keep_the_counts_back(world):
    with_a_mail(world, 42)
    world.renderer = Brittle(world)
    world.digests = world.worker("one")

    assert world.until("0:01") == {ANN: ["0:00:10 new boom 42"]}


def test_a_renderer_that_fails_altogether_changes_nothing(world):
    with_a_mail(world)

    class Broken:
        def digest(self, digest: Digest) -> Rendered:
            raise TemplateError("broken")

    world.renderer = Broken()
    with pytest.raises(TemplateError):
        world.worker("one").step(at("0:00:10"))

    (group,) = world.ledger.groups()
    assert (group.phase, group.pending_mails) == (Phase.FRESH, 1)
    assert world.ledger.messages() == []
    assert world.ledger.all_budgets() == {}


# --- What stands in a digest ------------------------------------------------------------------------------------------


def test_the_first_errors_have_their_sample_and_course_and_the_rest_only_counts(tmp_path):
    world = World(tmp_path, digest={"full_errors": 2})
    for number, count in enumerate((5, 9, 7)):
        world.mail("0:00", f"error {number}", count)
    world.mail("0:00", "melting", level=Level.CRITICAL)
    world.until("0:01")

    (letter,) = world.ledger.messages()
    shown = {entry.title: entry for entry in world.ledger.entries_of(letter.id)}

    assert {title for title, entry in shown.items() if entry.sample} == {"melting", "error 1"}
    assert {title for title, entry in shown.items() if entry.timeline} == {"melting", "error 1"}
    assert (first := shown["error 1"]).sample
    assert first.sample.message == "error 1 broke"
    assert first.timeline
    assert sum(first.timeline.counts) == 9
    world.close()


def test_the_step_says_lost_leases_to_nobody(world):
    """LeaseLost is a turn of the other worker, not a fault of this one."""
    with_a_mail(world)
    world.digests.step(at("0:00:08"))
    world.ledger.lease(LEASE, "two", at("1:00"), LEASE_FOR)

    with pytest.raises(LeaseLost), world.ledger.digesting(LEASE, 1):
        pass
    assert world.digests.step(at("0:00:10")) is False


def test_titles_of_any_kind_are_only_text(world):
    """What an app wrote can neither add a header nor a line of the relay's own."""
    nasty = "{{ 7 * 7 }} <b>\r\nBcc: eve@example.com"
    world.mail("0:00", nasty)
    world.until("0:01")

    mail = world.inboxes[ANN][0].mail
    assert mail["Bcc"] is None
    assert "49" not in mail["Subject"]
    assert world.books.pending == 0
