"""The digest step on a real ledger: leases, changed due times, limits, and rendering that fails."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from relay.digest import tick
from relay.digest.step import LEASE, LEASE_FOR
from relay.errors import LeaseLost, TemplateError
from relay.ledger import Ledger
from relay.model import Digest, Level, Phase, Rendered, Timing
from relay.schedule.group import mute, unmute
from tests.support.story_world import ANN, BOB, World
from tests.support.timetable import SECOND, at


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def ingest_mail(world: World, count: int = 1, **how) -> None:
    """Ingest a mail at 0:00; its first digest is due ten seconds later."""
    world.mail("0:00", "boom", count, **how)
    world.until("0:00:05")


# --- When it checks ---------------------------------------------------------------------------------------------------


def test_step_does_nothing_if_nothing_is_due(world):
    ingest_mail(world)

    assert world.digests.step(at("0:00:09")) is False
    assert world.ledger.messages() == []


def test_due_group_becomes_one_message_once(world):
    ingest_mail(world)

    assert world.digests.step(at("0:00:10")) is True
    assert world.digests.step(at("0:00:12")) is False

    (message,) = world.ledger.messages()
    assert [each.recipient for each in message.deliveries] == [ANN]
    assert (message.mails, message.created_at) == (1, at("0:00:10"))


def test_step_checks_once_a_second_however_often_it_is_called(world):
    ingest_mail(world)
    assert world.digests.step(at("0:00:09")) is False

    assert world.digests.step(at("0:00:09") + timedelta(milliseconds=999)) is False
    assert world.digests.step(at("0:00:10")) is True


def test_clock_that_was_set_back_does_not_stop_the_step(world):
    """Its last check, its lease and its last digest are a day ahead of the current time."""
    world.now = at("30:00")
    world.mail("30:00", "boom")
    assert world.until("30:01")[ANN] == ["30:00:10 new boom 1"]

    world.now = at("0:20")
    world.mail("0:20", "other")
    world.mail("0:21", "boom", 2)

    assert world.until("0:40")[ANN] == ["0:20:10 new other 1"]
    assert world.until("6:00")[ANN] == ["4:21:00 ongoing boom 2, ended other 0"], "the last gap is the longest wait"


# --- When it has nothing to do ----------------------------------------------------------------------------------------


def test_idle_step_takes_no_lease_and_begins_no_transaction(world, monkeypatch):
    ingest_mail(world)
    world.digests.step(at("0:00:10"))
    world.digests.step(at("0:00:20"))
    calls: list[str] = []
    for name in ("lease", "digesting", "upstream"):
        monkeypatch.setattr(Ledger, name, recorded(name, calls))

    for second in range(21, 60):
        assert world.digests.step(at(f"0:00:{second}")) is False
    assert calls == []

    world.digests.step(at("0:01:30"))
    assert "digesting" in calls, "a full check each minute"


def recorded(name: str, calls: list[str]) -> Callable[..., Any]:
    """Return a method of the ledger that also notes its name."""
    real = getattr(Ledger, name)

    def call(*arguments: Any) -> Any:
        calls.append(name)
        return real(*arguments)

    return call


def test_step_knows_when_the_next_one_has_something_to_do(world):
    world.digests.step(at("0:00"))
    assert world.digests.step(at("0:00:02")) is False
    assert world.digests.next_step_at is None, "nothing is pending"

    world.mail("0:00:03", "boom")
    world.until("0:00:04")
    world.digests.step(at("0:00:05"))
    assert world.digests.next_step_at == at("0:00:13")

    world.digests.step(at("0:00:05") + timedelta(milliseconds=500))
    assert world.digests.next_step_at == at("0:00:06"), "it did not look: something new may be due"


def test_deferred_recipient_keeps_the_step_checking(world):
    """A budget may allow the catch-up digest at any second; no group is due then."""
    world.digests.step(at("0:00"))
    world.digests.step(at("0:00:02"))
    assert world.digests.next_step_at is None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "has_deferred", lambda _: True)
        world.digests.step(at("0:00:04"))

    assert world.digests.next_step_at == at("0:00:05")


# --- Under a lease ----------------------------------------------------------------------------------------------------


def test_only_the_worker_with_the_lease_enqueues_digests(world):
    ingest_mail(world)
    world.ledger.lease(LEASE, "one", at("0:00:08"), LEASE_FOR)

    assert world.worker("two").step(at("0:00:10")) is False
    assert world.digests.step(at("0:00:10")) is True


def test_another_worker_takes_over_when_the_lease_runs_out(world):
    ingest_mail(world)

    assert world.worker("two").step(at("0:00") + LEASE_FOR + SECOND) is True


def test_worker_that_lost_its_lease_writes_nothing_until_it_gets_it_again(world):
    """The first worker was suspended until its lease ran out: its token is stale."""
    ingest_mail(world)
    slow = world.digests
    slow.step(at("0:00:08"))
    assert world.ledger.lease(LEASE, "two", at("0:00:30"), LEASE_FOR) is not None

    assert slow.step(at("0:00:10")) is False
    assert world.ledger.messages() == []
    assert slow.step(at("0:00:50")) is True


def test_two_workers_on_one_ledger_report_each_mail_once(tmp_path):
    """The lease moves between them again and again."""
    world = World(tmp_path)
    workers = [world.worker("one"), world.worker("two")]
    for minute in range(30):
        world.mail(f"0:{minute}", f"error {minute % 4}", count=minute + 1)
    for turn in range(150):
        world.digests = workers[turn % 2]
        world.until(f"0:00:{40 * turn}")

    assert sum(world.reported[ANN].values()) == sum(range(1, 31))
    assert world.books.balanced
    assert world.books.pending == 0
    world.close()


# --- Changed due times ------------------------------------------------------------------------------------------------


def test_muted_group_is_due_at_the_end_of_the_mute(world):
    ingest_mail(world)
    (group,) = world.ledger.groups()
    world.ledger.revise(group.id, lambda group: mute(group, at("3:00"), world.settings.timing, now=world.now))

    assert world.until("2:59") == {}
    (muted,) = world.ledger.groups()
    assert muted.due_at == at("3:00")
    assert world.until("3:10") == {ANN: ["3:00:00 new boom 1"]}


def test_unmuted_group_is_reported_at_the_next_check(world):
    ingest_mail(world)
    (group,) = world.ledger.groups()
    world.ledger.revise(group.id, lambda group: mute(group, at("3:00"), world.settings.timing, now=world.now))
    world.until("1:00")
    world.ledger.revise(group.id, lambda group: unmute(group, world.settings.timing, world.now))

    assert world.until("1:01")[ANN] == ["1:00:00 new boom 1"]


def test_shorter_configured_gaps_apply_from_the_next_mail_on(tmp_path):
    world = World(tmp_path, timing={"steps": "1h"})
    world.mail("0:00")
    world.mail("0:10", count=2)
    world.mail("0:12", count=3)
    world.until("0:11")

    world.settings = world.settings.model_copy(update={"timing": Timing()})
    world.digests = world.worker("two")

    assert world.until("0:59")[ANN] == ["0:12:00 ongoing boom 5"]
    world.close()


def test_error_does_not_end_while_the_ingest_step_lags_behind(world):
    world.mail("0:00", count=500)
    world.until("0:10")
    world.caught_up = False
    assert world.until("1:00") == {}

    world.caught_up = True
    assert world.until("1:31") == {ANN: ["1:00:00 ended boom 0"]}


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_errors_beyond_max_entries_are_in_the_next_digest(world, monkeypatch):
    monkeypatch.setattr("relay.schedule.route.MAX_ENTRIES", 5)
    for number in range(12):
        world.mail("0:00", f"error {number}")

    inbox = world.until("0:12")[ANN]

    assert [line.count("new") for line in inbox] == [5, 5, 2]
    assert sum(world.reported[ANN].values()) == 12


def test_flood_on_one_route_does_not_delay_another_route(tmp_path, monkeypatch):
    """The only recipient of the flooded route is greylisted, so its groups stay due and are found first."""
    monkeypatch.setattr(tick, "DUE_LIMIT", 5)
    world = World(tmp_path, admins=(BOB,), route=[{"name": "night", "recipients": [ANN]}])
    world.upstream.greylists = {ANN}
    world.mail("0:00", "first", route="night")
    world.until("0:01")
    for number in range(10):
        world.mail("0:01", f"error {number}", route="night")
    world.mail("0:30", "boom")

    assert world.until("1:00") == {BOB: ["0:30:10 new boom 1"]}
    world.close()


def test_catch_up_digest_beyond_max_entries_is_split(tmp_path, monkeypatch):
    monkeypatch.setattr(tick, "MAX_ENTRIES", 2)
    world = World(tmp_path, admins=(ANN, BOB), timing={"ended_after": "5h"})
    world.upstream.greylists = {ANN}
    for number in range(5):
        world.mail(f"0:{6 * number}", f"error {number}")
    world.until("0:50")
    world.upstream.greylists = set()

    inbox = world.until("2:00")[ANN]

    assert [line.split(maxsplit=1)[1] for line in inbox] == [
        "new error 0 1",
        "+new error 1 1, new error 2 1",
        "+new error 3 1, new error 4 1",
    ]
    assert world.reported[ANN] == world.reported[BOB]
    world.close()


# --- When rendering fails ---------------------------------------------------------------------------------------------


class FailingOnSamples:
    """A renderer that fails on every sample."""

    def __init__(self, world: World) -> None:
        self._renderer = world.renderer

    def digest(self, digest: Digest) -> Rendered:
        if any(entry.sample for entry in digest.entries):
            raise TemplateError("body.html, line 7: this sample is too much")
        return self._renderer.digest(digest)


def test_digest_goes_out_without_samples_if_a_sample_cannot_be_rendered(world):
    ingest_mail(world, 42)
    world.renderer = FailingOnSamples(world)
    world.digests = world.worker("one")

    assert world.until("0:01") == {ANN: ["0:00:10 new boom 42"]}


def test_renderer_that_always_fails_changes_nothing(world):
    ingest_mail(world)

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


# --- The content of a digest ------------------------------------------------------------------------------------------


def test_only_errors_shown_in_full_have_a_sample_and_a_timeline(tmp_path):
    world = World(tmp_path, digest={"full_errors": 2})
    for number, count in enumerate((5, 9, 7)):
        world.mail("0:00", f"error {number}", count)
    world.mail("0:00", "melting", level=Level.CRITICAL)
    world.until("0:01")

    (message,) = world.ledger.messages()
    shown = {entry.title: entry for entry in world.ledger.entries_of(message.id)}

    assert {title for title, entry in shown.items() if entry.sample} == {"melting", "error 1"}
    assert {title for title, entry in shown.items() if entry.timeline} == {"melting", "error 1"}
    assert (first := shown["error 1"]).sample
    assert first.sample.message == "error 1 broke"
    assert first.timeline
    assert sum(first.timeline.counts) == 9
    world.close()


def test_lost_lease_is_not_raised_by_the_step(world):
    """LeaseLost means that another worker has the lease; it is not an error of this one."""
    ingest_mail(world)
    world.digests.step(at("0:00:08"))
    world.ledger.lease(LEASE, "two", at("1:00"), LEASE_FOR)

    with pytest.raises(LeaseLost), world.ledger.digesting(LEASE, 1):
        pass
    assert world.digests.step(at("0:00:10")) is False


def test_title_of_an_error_is_only_text(world):
    """A text from an app cannot add a header or a line to the digest."""
    nasty = "{{ 7 * 7 }} <b>\r\nBcc: eve@example.com"
    world.mail("0:00", nasty)
    world.until("0:01")

    mail = world.inboxes[ANN][0].mail
    assert mail["Bcc"] is None
    assert "49" not in mail["Subject"]
    assert world.books.pending == 0
