"""Enqueue a digest under a lease, together with the groups that it reports."""

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.errors import LeaseLost, LedgerError
from relay.ledger import Ledger
from relay.model import BudgetState, Delivery, Group, MessageKind, Phase, RouteState, Timeline
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    REFUSED,
    ROUTE,
    SECOND,
    SENT,
    TTL,
    catch_up,
    digest,
    enqueue_pending,
    entry,
    figures,
    fresh,
    ingest,
    lease_token,
    rendered,
    report,
    reported,
    send,
    states,
)


def change(ledger: Ledger, name: str, **values: object) -> None:
    group = next(group for group in ledger.groups() if group.fingerprint == name)
    ledger.revise(group.id, lambda group: replace(group, **values))  # type: ignore[arg-type]


def names(groups: list[Group]) -> list[str]:
    return [group.fingerprint for group in groups]


# --- The lease --------------------------------------------------------------------------------------------------------


def test_lease_is_held_by_one_and_renewed_under_its_token(ledger: Ledger):
    token = ledger.lease("schedule", "one", NOON, MINUTE)

    assert ledger.lease("schedule", "two", NOON + 59 * SECOND, MINUTE) is None
    assert ledger.lease("schedule", "one", NOON + 59 * SECOND, MINUTE) == token
    assert ledger.lease("schedule", "two", NOON + 118 * SECOND, MINUTE) is None


def test_lease_that_ran_out_goes_to_the_next_under_a_greater_token(ledger: Ledger):
    first = ledger.lease("schedule", "one", NOON, MINUTE)
    second = ledger.lease("schedule", "two", NOON + MINUTE, MINUTE)
    third = ledger.lease("schedule", "two", NOON + 5 * MINUTE, MINUTE)

    assert first is not None
    assert second is not None
    assert third is not None
    assert first < second < third
    assert ledger.lease("other", "one", NOON, MINUTE) is not None


def test_clock_that_was_set_back_gives_the_lease_to_the_next(ledger: Ledger):
    """Under a greater token, as ever."""
    first = ledger.lease("schedule", "one", NOON + 365 * DAY, MINUTE)
    second = ledger.lease("schedule", "two", NOON, MINUTE)

    assert first is not None
    assert second is not None
    assert second > first
    assert ledger.lease("schedule", "one", NOON - 23 * HOUR, MINUTE) is None


def test_worker_that_comes_back_gets_a_new_token_at_once(ledger: Ledger):
    """Its former life may still be writing somewhere."""
    first = ledger.lease("schedule", "one", NOON, MINUTE)
    ledger.forget_worker("one")
    second = ledger.lease("schedule", "one", NOON, MINUTE)

    assert first is not None
    assert second is not None
    assert second > first
    with pytest.raises(LeaseLost), ledger.digesting("schedule", first):
        pytest.fail("entered")


def test_forgetting_a_worker_leaves_the_others_alone(ledger: Ledger):
    ledger.lease("schedule", "one", NOON, MINUTE)
    ledger.forget_worker("two")

    assert ledger.lease("schedule", "two", NOON, MINUTE) is None
    assert [(each.name, each.holder, each.expires_at) for each in ledger.leases()] == [
        ("schedule", "one", NOON + MINUTE)
    ]


def test_scheduling_needs_the_newest_token(ledger: Ledger):
    token = lease_token(ledger)

    with ledger.digesting("schedule", token):
        pass
    for name, wrong in [("schedule", token - 1), ("schedule", token + 1), ("other", token)]:
        with pytest.raises(LeaseLost), ledger.digesting(name, wrong):
            pytest.fail("entered")


# --- What there is to report ------------------------------------------------------------------------------------------


def test_due_groups_are_those_whose_turn_has_come(ledger: Ledger):
    ingest(ledger, {"late": 1, "soon": 1, "never": 1})
    ingest(ledger, {"other route": 1}, route="ops")
    change(ledger, "late", due_at=NOON - HOUR)
    change(ledger, "soon", due_at=NOON + SECOND)
    change(ledger, "never", due_at=None)

    assert ledger.next_due_at() == NOON - HOUR
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert names(tx.due_groups(NOON)) == ["late", "other route"]
        assert names(tx.due_groups(NOON, limit=1)) == ["late"]
        assert tx.due_groups(NOON - 2 * HOUR) == []


def test_empty_ledger_has_nothing_due(ledger: Ledger):
    assert ledger.next_due_at() is None
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.due_groups(NOON) == []
        assert tx.pending_groups(ROUTE) == []
        assert tx.quiet_groups(ROUTE, NOON) == []
        assert tx.deferred_recipients() == []
        assert tx.entries([]) == []
        assert tx.timelines({}, NOON) == {}
        assert tx.samples([]) == {}
        assert tx.budgets([]) == {}
        assert tx.free_recipients(ROUTE, []) == set()
        assert tx.first_message_id(17) == ""


def test_pending_groups_are_those_of_the_route(ledger: Ledger):
    ingest(ledger, {"b": 1}, at=NOON)
    ingest(ledger, {"a": 1}, at=NOON - HOUR)
    ingest(ledger, {"elsewhere": 1}, route="ops")
    ingest(ledger, {"open": 1}, at=NOON + HOUR)
    change(ledger, "open", phase=Phase.OPEN)

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert names(tx.pending_groups(ROUTE)) == ["a", "b", "open"]
        assert names(tx.pending_groups(ROUTE, phase=Phase.FRESH)) == ["a", "b"]
        assert names(tx.pending_groups(ROUTE, limit=1)) == ["a"]


def test_quiet_groups_are_known_and_have_nothing_pending(ledger: Ledger):
    ingest(ledger, {"quiet": 1, "fresh": 1, "ended": 1})
    ingest(ledger, {"loud": 1, "pending": 1}, at=NOON + HOUR)
    for name in ("quiet", "ended", "loud"):
        change(ledger, name, phase=Phase.OPEN, pending_mails=0, pending_occurrences=0)
    change(ledger, "pending", phase=Phase.OPEN)
    change(ledger, "ended", phase=Phase.ENDED)

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert names(tx.quiet_groups(ROUTE, NOON)) == ["quiet"]
        assert names(tx.quiet_groups(ROUTE, NOON + HOUR)) == ["quiet", "loud"]
        assert tx.quiet_groups("ops", NOON + HOUR) == []


def test_newest_sample_of_each_group(ledger: Ledger):
    ingest(ledger, {"a": 1, "b": 1})
    ids = [group.id for group in ledger.groups()]
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.samples([*ids, 4711]) == dict.fromkeys(ids, report())


# --- Courses ----------------------------------------------------------------------------------------------------------


def course(ledger: Ledger, since: timedelta, counts: dict[timedelta, int]) -> Timeline | None:
    """The course from `since` before noon until noon, of counts so long before noon."""
    for before, number in counts.items():
        ingest(ledger, {"a": number}, at=NOON - before)
    return ledger.timeline(ledger.groups()[0].id, NOON - since, NOON)


@pytest.mark.parametrize(
    ("since", "step", "length"),
    [
        (timedelta(0), MINUTE, 1),
        (23 * MINUTE, MINUTE, 24),
        (24 * MINUTE, 2 * MINUTE, 13),
        (2 * HOUR, 10 * MINUTE, 13),
        (24 * HOUR, 2 * HOUR, 13),
        (47 * HOUR, 3 * HOUR, 17),
        (49 * HOUR, 3 * HOUR, 18),
        (14 * DAY, DAY, 15),
        (90 * DAY, 7 * DAY, 14),
    ],
)
def test_course_takes_the_smallest_step_that_fits(ledger: Ledger, since: timedelta, step: timedelta, length: int):
    drawn = course(ledger, since, {timedelta(0): 7})

    assert drawn is not None
    assert (drawn.step, len(drawn.counts)) == (step, length)
    assert drawn.counts[-1] == 7
    assert drawn.since <= NOON - since < drawn.since + step


def test_course_longer_than_any_step_keeps_its_end(ledger: Ledger):
    drawn = course(ledger, 3650 * DAY, {timedelta(0): 7})

    assert drawn is not None
    assert (len(drawn.counts), drawn.counts[-1]) == (24, 7)


def test_course_sums_what_falls_into_a_step(ledger: Ledger):
    drawn = course(ledger, 2 * HOUR, {120 * MINUTE: 1, 118 * MINUTE: 2, 60 * MINUTE: 4, 51 * MINUTE: 8, 0 * MINUTE: 16})

    assert drawn is not None
    assert drawn.counts == (3, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 16)


def test_course_of_nothing_is_none(ledger: Ledger):
    assert course(ledger, HOUR, {2 * HOUR: 5}) is None


def test_courses_begin_where_each_group_asks(ledger: Ledger):
    ingest(ledger, {"a": 1, "b": 2})
    since = {group.id: NOON - (MINUTE if group.fingerprint == "a" else DAY) for group in ledger.groups()}

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        drawn = tx.timelines(since, NOON)

    assert sorted((each.step, sum(each.counts)) for each in drawn.values()) == [(MINUTE, 1), (2 * HOUR, 2)]


# --- Freezing ---------------------------------------------------------------------------------------------------------


def test_mails_of_an_enqueued_digest_are_pending_in_its_message(ledger: Ledger):
    ingest(ledger, {"a": 3, "b": 2})
    outbox_id = enqueue_pending(ledger)

    assert figures(ledger) == {"received": 5, "pending": 5}
    assert [group.pending_mails for group in ledger.groups()] == [0, 0]
    message = ledger.message(outbox_id)
    assert message is not None
    assert (message.kind, message.mails, message.created_at, message.next_try_at) == (MessageKind.DIGEST, 5, NOON, NOON)
    assert ledger.raw(outbox_id) == b"Subject: x\r\n\r\n"


def test_exception_in_the_block_freezes_nothing(ledger: Ledger):
    ingest(ledger, {"a": 3})
    message = digest([entry(ledger.groups()[0])])

    with pytest.raises(RuntimeError), ledger.digesting("schedule", lease_token(ledger)) as tx:  # noqa: PT012
        tx.enqueue(message, rendered(message), queued=[ADA])
        tx.save([reported(group) for group in tx.pending_groups(ROUTE)])
        raise RuntimeError

    assert ledger.messages() == []
    assert figures(ledger) == {"received": 3, "pending": 3}
    assert ledger.groups()[0].pending_mails == 3


def test_books_in_the_block_show_what_was_done_in_it(ledger: Ledger):
    ingest(ledger, {"a": 3})
    message = digest([entry(ledger.groups()[0])])

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.enqueue(message, rendered(message), queued=[ADA])
        assert tx.books(NOON).pending == 6
        tx.save([reported(group) for group in tx.pending_groups(ROUTE)])
        assert tx.books(NOON).pending == 3


def test_entries_come_back_as_they_were(ledger: Ledger):
    """With every part, and the oldest message first."""
    ingest(ledger, {"a": 1})
    first = entry(ledger.groups()[0])
    full = replace(
        first,
        seen_before=NOON - 3 * DAY,
        timeline=Timeline(since=NOON, step=timedelta(minutes=1.5), counts=(1, 0, 7)),
        sample=report("odd \ud800 \0"),
    )
    later, earlier = digest([full, first], at=NOON + HOUR), digest([first], at=NOON, route="ops")
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        for message in (later, earlier):
            tx.enqueue(message, rendered(message), queued=[ADA])
        assert tx.entries([later.id, earlier.id]) == [first, full, first]

    assert ledger.entries_of(later.id) == [full, first]
    assert ledger.entries_of("unknown") == []


def test_stored_entries_keep_the_keys_of_earlier_releases():
    """The key of the timeline is older than the name of its field."""
    from relay.ledger.rows import entry_json, entry_of

    full = replace(entry(fresh("a")), timeline=Timeline(since=NOON, step=MINUTE, counts=(1, 7)))
    text = entry_json(full)

    assert '"course":{"since":"2026-03-01T12:00:00+00:00","step":60.0,"counts":[1,7]}' in text
    assert '"timeline"' not in text
    assert entry_of(text) == full


def test_digest_sets_the_pause_of_its_route_alone(ledger: Ledger):
    enqueue_pending(ledger, at=NOON)
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        notice = digest(kind=MessageKind.NOTICE, recipients=[BOB], at=NOON + HOUR)
        tx.enqueue(notice, rendered(notice), queued=[BOB])
        assert tx.route_state(ROUTE) == RouteState(last_digest_at=NOON)
        assert tx.route_state("ops") == RouteState(last_digest_at=None)
    send(ledger, SENT, at=NOON)
    enqueue_pending(ledger, at=NOON + DAY)

    assert ledger.route_states() == {ROUTE: RouteState(last_digest_at=NOON + DAY)}


def test_first_digest_about_one_error_alone_begins_its_thread(ledger: Ledger):
    threads = []
    for names_of_batch in (["a", "b"], ["a"], ["a"]):
        ingest(ledger, dict.fromkeys(names_of_batch, 1))
        outbox_id = enqueue_pending(ledger)
        send(ledger, SENT)
        numbers = {group.fingerprint: group.id for group in ledger.groups()}
        with ledger.digesting("schedule", lease_token(ledger)) as tx:
            threads.append((outbox_id, tx.first_message_id(numbers["a"])))
            assert tx.first_message_id(numbers["b"]) == ""

    assert [thread for _, thread in threads] == ["", f"<{threads[1][0]}@relay>", f"<{threads[1][0]}@relay>"]


def test_recipient_with_a_queued_message_is_not_free(ledger: Ledger):
    enqueue_pending(ledger, [ADA])

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.free_recipients(ROUTE, [ADA, BOB]) == {BOB}
        assert tx.free_recipients("ops", [ADA, BOB]) == {ADA, BOB}
    with pytest.raises(LedgerError, match="queued"):
        enqueue_pending(ledger, [ADA, BOB])
    enqueue_pending(ledger, [BOB], [ADA])
    enqueue_pending(ledger, [ADA], route="ops")


def test_database_refuses_a_second_queued_message_per_recipient(ledger: Ledger):
    """The index refuses what the check before it would have."""
    from relay.ledger.backends.write_mode import WriteMode
    from relay.ledger.schema import deliveries

    first, second = enqueue_pending(ledger, [ADA]), enqueue_pending(ledger, [BOB], [ADA])
    assert first != second
    with pytest.raises(LedgerError), ledger._write(WriteMode.EXCLUSIVE) as connection:
        connection.execute(deliveries.update().values(state=Delivery.QUEUED))


@pytest.mark.parametrize(
    ("kind", "recipients", "queued", "held", "covers"),
    [
        (MessageKind.DIGEST, [ADA], [], [ADA], []),
        (MessageKind.DIGEST, [ADA, BOB], [ADA], [], []),
        (MessageKind.DIGEST, [ADA], [ADA], [ADA], []),
        (MessageKind.DIGEST, [ADA], [ADA, BOB], [], []),
        (MessageKind.DIGEST, [], [], [], []),
        (MessageKind.DIGEST, [ADA], [ADA], [], ["x"]),
        (MessageKind.NOTICE, [ADA], [ADA], [], ["x"]),
        (MessageKind.CATCH_UP, [ADA], [ADA], [], []),
        (MessageKind.CATCH_UP, [ADA, BOB], [ADA], [BOB], ["x"]),
    ],
)
def test_message_that_contradicts_itself_is_refused(ledger: Ledger, kind, recipients, queued, held, covers):
    message = digest(kind=kind, recipients=recipients)

    with pytest.raises(ValueError), ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.enqueue(message, rendered(message), queued=queued, deferred=held, covers=covers)


def test_catch_up_digest_over_messages_without_deferred_recipients_is_refused(ledger: Ledger):
    outbox_id = enqueue_pending(ledger, [ADA])
    message = digest(kind=MessageKind.CATCH_UP, recipients=[BOB])

    with pytest.raises(LedgerError, match="no deferred"), ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.enqueue(message, rendered(message), queued=[BOB], covers=[outbox_id])


# --- Deferred, caught up, abandoned -----------------------------------------------------------------------------------


def test_deferred_messages_are_listed_for_their_recipient_oldest_first(ledger: Ledger):
    second = enqueue_pending(ledger, [ADA], [BOB], at=NOON + HOUR)
    send(ledger, SENT, at=NOON + HOUR)
    first = enqueue_pending(ledger, [ADA], [BOB], at=NOON)

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.deferred_messages(ROUTE, BOB) == [first, second]
        assert tx.deferred_messages(ROUTE, ADA) == []
        assert tx.deferred_messages("ops", BOB) == []
        assert tx.deferred_recipients() == [(ROUTE, BOB)]
    assert ledger.has_deferred()


def test_follow_up_takes_over_what_was_held(ledger: Ledger):
    ingest(ledger, {"a": 3})
    outbox_id = enqueue_pending(ledger, [ADA], [BOB])
    follower = catch_up(ledger, BOB)

    assert states(ledger, outbox_id)[1] == {ADA: Delivery.QUEUED, BOB: Delivery.COVERED}
    message = ledger.message(outbox_id)
    assert message is not None
    assert [each.covered_by for each in message.deliveries] == ["", follower]
    assert ledger.entries_of(follower) == ledger.entries_of(outbox_id)
    assert figures(ledger) == {"received": 3, "pending": 3}
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.deferred_recipients() == []


def test_abandoned_recipient_delays_no_message(ledger: Ledger):
    ingest(ledger, {"a": 3})
    first = enqueue_pending(ledger, [ADA, BOB])
    ingest(ledger, {"a": 2})
    send(ledger, {ADA: Delivery.SENT})
    second = enqueue_pending(ledger, [ADA], [BOB], at=NOON + SECOND)

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.abandon(ROUTE, BOB, "no longer configured", NOON) == 2
        assert tx.abandon(ROUTE, BOB, "no longer configured", NOON) == 0
        assert tx.abandon("ops", ADA, "another route", NOON) == 0

    assert figures(ledger) == {"received": 5, "pending": 2, "reported": 3}
    assert [states(ledger, each)[1][BOB] for each in (first, second)] == [Delivery.REFUSED] * 2
    claimed = ledger.claim_message("worker", NOON + MINUTE, TTL)
    assert claimed is not None
    assert (claimed.id, claimed.recipients) == (second, (ADA,))


def test_message_to_an_abandoned_recipient_alone_becomes_dead(ledger: Ledger):
    ingest(ledger, {"a": 3})
    enqueue_pending(ledger, [BOB])
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.abandon(ROUTE, BOB, "no longer configured", NOON)

    assert figures(ledger) == {"received": 3, "undelivered": 3}
    assert ledger.claim_message("worker", NOON + DAY, TTL) is None
    assert ledger.next_try_at() is None


def test_claimed_message_is_not_abandoned(ledger: Ledger):
    """What the upstream says of it must not be lost."""
    ingest(ledger, {"a": 3})
    enqueue_pending(ledger, [ADA])
    ledger.claim_message("worker", NOON, TTL)

    for later, given_up in ((MINUTE, 0), (TTL, 1)):
        with ledger.digesting("schedule", lease_token(ledger)) as tx:
            assert tx.abandon(ROUTE, ADA, "no longer configured", NOON + later) == given_up


# --- Dead letters' totals ---------------------------------------------------------------------------------------------


def unreported(ledger: Ledger) -> list[str]:
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        return [each.id for each in tx.dead_totals(ROUTE)]


def test_totals_of_a_dead_letter_are_reported_by_the_next_accepted_digest(ledger: Ledger):
    ingest(ledger, {"a": 3})
    dead = enqueue_pending(ledger)
    assert unreported(ledger) == []
    send(ledger, REFUSED)

    assert unreported(ledger) == [dead]
    ingest(ledger, {"a": 2})
    second = enqueue_pending(ledger, dead=[dead], at=NOON + HOUR)
    assert unreported(ledger) == []
    send(ledger, REFUSED, at=NOON + HOUR)
    assert unreported(ledger) == [dead, second], "the message that was to report it is dead itself"
    ingest(ledger, {"a": 1})
    enqueue_pending(ledger, dead=[dead, second], at=NOON + 2 * HOUR)
    send(ledger, SENT, at=NOON + 2 * HOUR)
    assert unreported(ledger) == []
    assert figures(ledger) == {"received": 6, "reported": 1, "undelivered": 5}


def test_dead_total_says_what_was_lost(ledger: Ledger):
    ingest(ledger, {"a": 3})
    dead = enqueue_pending(ledger)
    send(ledger, REFUSED, at=NOON + MINUTE)

    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        total = tx.dead_totals(ROUTE)[0]
        assert tx.dead_totals("ops") == []

    assert (total.id, total.mails, total.occurrences, total.subject) == (dead, 3, 3, "[shop] 1 errors")
    assert (total.created_at, total.died_at) == (NOON, NOON + MINUTE)


def test_dropped_message_is_still_reported_and_a_revived_one_is_not(ledger: Ledger):
    dead = []
    for _ in range(2):
        ingest(ledger, {"a": 1})
        dead.append(enqueue_pending(ledger))
        send(ledger, REFUSED)
    ledger.drop(dead[0], NOON)
    ledger.retry(dead[1], NOON)

    assert unreported(ledger) == dead[:1]


# --- Budgets ----------------------------------------------------------------------------------------------------------


def test_budget_is_kept_per_recipient(ledger: Ledger):
    first = BudgetState(tokens=4.25, at=NOON, day="2026-03-01", sent_today=1)
    second = replace(first, tokens=0.0, exhausted_since=NOON + SECOND)
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.budgets([ADA]) == {}
        tx.save_budget(ADA, first)
        tx.save_budget(BOB, first)
        tx.save_budget(BOB, second)
        assert tx.budgets([ADA, BOB, "eve@example.com"]) == {ADA: first, BOB: second}
        assert tx.budgets([BOB]) == {BOB: second}

    assert ledger.all_budgets() == {ADA: first, BOB: second}


def test_digest_with_news_stores_the_step_of_the_gap_and_one_without_leaves_it(ledger: Ledger):
    for at, news_step in ((NOON, 0), (NOON + MINUTE, 1), (NOON + HOUR, None)):
        with ledger.digesting("schedule", lease_token(ledger)) as tx:
            one = digest(recipients=[ADA], at=at)
            tx.enqueue(one, rendered(one), queued=[ADA], news_step=news_step)
        send(ledger, SENT, at=at)

    expected = RouteState(last_digest_at=NOON + HOUR, last_news_at=NOON + MINUTE, news_step=1)
    assert ledger.route_states() == {ROUTE: expected}
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        assert tx.route_state(ROUTE) == expected


def test_mutes_that_are_over_are_found_until_they_are_forgotten(ledger: Ledger):
    ingest(ledger, dict.fromkeys(["active", "over", "never", "rate alone"], 1))
    change(ledger, "active", muted_since=NOON, muted_until=NOON + HOUR)
    change(ledger, "over", muted_since=NOON, muted_until=NOON + MINUTE)
    change(ledger, "rate alone", muted_since=NOON, mute_above=50)
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        found = tx.ended_mutes(ROUTE, NOON + MINUTE, limit=10)
        assert [group.fingerprint for group in found] == ["over"]
        assert tx.ended_mutes("ops", NOON + DAY, limit=10) == []
        tx.save([replace(found[0], muted_since=None)])
        assert [group.fingerprint for group in tx.ended_mutes(ROUTE, NOON + DAY, limit=10)] == ["active"]
