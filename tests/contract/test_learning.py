"""Free words are learned in the ingest transaction: the same on both ledgers, with any batches and workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from relay.commands.actions import Unmerge
from relay.commands.handle import carry_out
from relay.digest import Digests
from relay.errors import LedgerBusy
from relay.ingest.learning import Learning
from relay.ledger import Ledger, Outcome
from relay.ledger.schema import learned_places, metadata
from relay.model import LEARNED
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import NOW, IngestBench, mail, of_our_client

DAY = timedelta(days=1)


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> IngestBench:
    return IngestBench(tmp_path, ledger)


def stalled(name: str) -> bytes:
    return mail(f"delivery to the mailbox {name} stalled at night")


def receive(bench: IngestBench, *mails: bytes, later: timedelta = timedelta()) -> None:
    bench.spool(mails, at=NOW + later)
    bench.ingest_all(NOW + later)


def one_by_one(bench: IngestBench, mails: Sequence[bytes]) -> None:
    for each in mails:
        receive(bench, each)


def errors(bench: IngestBench) -> dict[str, int]:
    """The occurrences of each error, by its title."""
    return {group.title: group.occurrences for group in bench.ledger.groups(limit=1_000)}


def history(bench: IngestBench) -> list[tuple[str, str]]:
    """What was done to errors, oldest first."""
    return [(each.action, each.summary) for each in reversed(bench.ledger.audit())]


def test_three_values_become_one_error_with_all_counts(bench):
    receive(bench, *map(stalled, ("anna", "bob", "chen")))

    [group] = bench.ledger.groups()
    assert (group.mails, group.pending_mails) == (3, 3)
    assert bench.books() == {"received": 3, "pending": 3}
    assert history(bench) == [
        ("learn", "3 entries turned out to be one error: word 5 of the message varies (anna, bob, chen)")
    ]
    parts = [each for each in bench.ledger.members(group.id) if not each.is_face]
    assert [each.by.author for each in parts] == [LEARNED] * 2
    assert "many values" in parts[0].by.reason


def test_the_next_value_is_counted_without_a_group_of_its_own(bench):
    receive(bench, *map(stalled, ("anna", "bob", "chen")))
    receive(bench, *map(stalled, ("dora", "emil", "dora")))

    [group] = bench.ledger.groups()
    assert group.mails == 6
    receive(bench, *[stalled("fritz")] * 9)
    [group] = bench.ledger.groups()
    assert group.mails == 15
    assert len(bench.ledger.members(group.id)) == 3
    assert len(history(bench)) == 1


def test_history_and_samples_of_the_parts_are_those_of_the_error(bench):
    receive(bench, *map(stalled, ("anna", "bob")))
    receive(bench, stalled("chen"), later=timedelta(minutes=3))

    [group] = bench.ledger.groups()
    timeline = bench.ledger.timeline(group.id, NOW - timedelta(minutes=1), NOW + timedelta(minutes=5))
    assert sum(timeline.counts) == 3
    messages = [sample.report.message.split()[4] for sample in bench.ledger.samples_of(group.id)]
    assert messages == ["chen", "bob", "anna"]


@pytest.mark.parametrize(
    "tables",
    [{"grouping": {"learn": False}}, {"route": [{"name": "a", "recipients": ["a@example.com"], "learn": False}]}],
)
def test_learning_can_be_switched_off_for_all_and_for_a_route(ledger, tmp_path, tables):
    bench = IngestBench(tmp_path, ledger, **tables)

    receive(bench, *map(stalled, ("anna", "bob", "chen")))

    assert len(bench.ledger.groups()) == 3


def test_a_route_learns_although_the_others_do_not(ledger, tmp_path):
    route = {"name": "a", "recipients": ["a@example.com"], "learn": True}
    bench = IngestBench(tmp_path, ledger, grouping={"learn": False}, route=[route])

    receive(bench, *map(stalled, ("anna", "bob", "chen")))

    assert len(bench.ledger.groups()) == 1


def test_a_value_that_a_rule_treats_apart_is_never_learned_over(ledger, tmp_path):
    rule = {"name": "bob", "action": "join", "message": "*mailbox bob*"}
    bench = IngestBench(tmp_path, ledger, rule=[rule])

    receive(bench, *map(stalled, ("anna", "bob", "chen")))
    assert len(errors(bench)) == 3

    receive(bench, *map(stalled, ("dora", "bob")))
    assert sorted(errors(bench).values()) == [2, 3]
    assert errors(bench)["bob"] == 2


def test_a_value_that_a_route_treats_apart_is_never_learned_over(ledger, tmp_path):
    route = {"name": "vip", "recipients": ["vip@example.com"], "pattern": "*mailbox bob*"}
    bench = IngestBench(tmp_path, ledger, route=[route])

    receive(bench, *map(stalled, ("anna", "bob", "chen", "dora")))

    assert {group.route: group.mails for group in bench.ledger.groups()} == {"vip": 1, "admins": 3}


def test_values_that_come_again_and_again_are_taken_apart(bench):
    names = ("redis", "postgres", "smtp")
    receive(bench, *map(stalled, names * 2))
    assert len(errors(bench)) == 1

    receive(bench, *map(stalled, names * 3))

    assert sum(errors(bench).values()) == 15
    assert len(errors(bench)) == 3
    assert [action for action, _ in history(bench)] == ["learn", "unlearn"]
    assert bench.books() == {"received": 15, "pending": 15}

    receive(bench, *map(stalled, ("ldap", "kafka", "imap")))
    assert len(errors(bench)) == 6


def test_what_an_administrator_keeps_apart_is_never_learned_again(bench):
    receive(bench, *map(stalled, ("anna", "bob", "chen")))
    [group] = bench.ledger.groups()
    with bench.ledger.steering() as tx:
        tx.merges.keep_apart([each.group.id for each in bench.ledger.members(group.id)])

    receive(bench, *map(stalled, ("dora", "emil", "fritz", "gerd")))

    assert len(errors(bench)) == 5


def test_a_repeated_mail_is_no_evidence(bench):
    mails = [
        of_our_client(n, message=f"delivery to the mailbox {name} stalled at night")
        for n, name in ((1, "anna"), (2, "bob"))
    ]
    receive(bench, *mails)
    receive(bench, of_our_client(1, message="delivery to the mailbox chen stalled at night"))

    assert len(errors(bench)) == 2


def test_a_mute_holds_for_all_parts(bench):
    receive(bench, stalled("anna"))
    bench.mute(NOW + DAY)

    receive(bench, *map(stalled, ("bob", "chen", "dora")))

    assert len(errors(bench)) == 1
    assert bench.books()["received"] == 4


STREAM = [
    *map(stalled, ("anna", "redis", "bob", "redis", "chen")),
    *(mail(f"cannot reach the service {name} from here") for name in ("redis", "smtp", "imap") * 5),
    *map(stalled, ("dora", "anna", "emil")),
    *(mail(f"Hanna {name} uploaded the forbidden picture") for name in ("Jensen", "Lopez", "Rossi", "Rossi")),
    mail("the ledger is broken"),
]


def outcome(bench: IngestBench) -> tuple[dict[str, int], list[tuple[str, str]], list[str]]:
    with bench.ledger._read() as connection:
        states = sorted(connection.scalars(learned_places.select().with_only_columns(learned_places.c.state)))
    return errors(bench), history(bench), states


def expected(tmp_path: Path) -> tuple[dict[str, int], list[tuple[str, str]], list[str]]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/expected.db")
    reference = IngestBench(tmp_path / "reference", ledger)
    one_by_one(reference, STREAM)
    found = outcome(reference)
    ledger.close()
    return found


@pytest.mark.parametrize("size", [2, 7, len(STREAM)])
def test_batches_of_any_size_and_restarts_give_the_same_groups(bench, tmp_path, size):
    for start in range(0, len(STREAM), size):
        receive(bench, *STREAM[start : start + size])

    assert outcome(bench)[0] == expected(tmp_path)[0]
    assert outcome(bench)[2] == expected(tmp_path / "again")[2]


def test_a_batch_that_learns_more_than_was_foreseen_is_repeated_once(bench, monkeypatch):
    """What a batch learns is foreseen without its repeated mails, and before the values that are kept apart."""
    monkeypatch.setattr(Learning, "_merges", lambda *_: False)
    bench.spool([*map(stalled, ("anna", "bob", "chen"))])
    worker = bench.worker()

    if bench.ledger.has_other_writers:
        with pytest.raises(LedgerBusy, match="repeated"):
            worker.step(NOW)
    assert worker.step(NOW)

    assert errors(bench) == {"delivery to the mailbox anna stalled at night": 3}
    assert bench.books() == {"received": 3, "pending": 3}


def test_several_workers_give_the_same_groups(ledger, tmp_path):
    benches = [IngestBench(tmp_path / str(n), ledger) for n in range(3)]
    for number, each in enumerate(STREAM):
        receive(benches[number % 3], each)

    assert outcome(benches[0]) == expected(tmp_path)


@pytest.mark.parametrize("state", ["{", "[1]", "[[]]", '[["a"]]', "7"])
def test_a_state_that_cannot_be_read_is_forgotten(bench, state):
    receive(bench, *map(stalled, ("anna", "bob")))
    with bench.ledger.steering() as tx:
        tx._connection.execute(learned_places.update().values(state=state))

    receive(bench, *map(stalled, ("chen", "dora", "emil")))

    assert sum(errors(bench).values()) == 5
    assert len(errors(bench)) == 3


def test_distinct_messages_do_not_grow_the_ledger_without_bound(bench):
    receive(bench, *(mail(f"{n:x}a alpha {n:x}b beta {n:x}c gamma {n:x}d delta rises") for n in range(400)))

    with bench.ledger._read() as connection:
        [state] = connection.scalars(learned_places.select().with_only_columns(learned_places.c.state))
    assert len(state) < 40_000


def test_places_that_were_not_seen_for_long_are_purged(bench):
    receive(bench, *map(stalled, ("anna", "bob")))

    bench.ledger.purge(NOW + 200 * DAY, counts_for=90 * DAY, samples_for=90 * DAY, messages_for=90 * DAY)

    with bench.ledger._read() as connection:
        assert not list(connection.execute(learned_places.select()))


texts = st.sampled_from([stalled(name) for name in ("anna", "bob", "chen", "dora")] + [mail("the ledger is broken")])


@settings(
    max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(st.lists(st.lists(texts, min_size=1, max_size=5), max_size=8))
def test_no_mail_is_lost_or_counted_twice(ledger, tmp_path_factory, batches):
    bench = IngestBench(tmp_path_factory.mktemp("spool"), ledger)
    before = sum(errors(bench).values())
    for batch in batches:
        receive(bench, *batch)

    assert sum(errors(bench).values()) - before == sum(map(len, batches))
    assert bench.ledger.books(NOW).balanced
    assert metadata.tables["learned_places"] is learned_places


# --- In the open ------------------------------------------------------------------------------------------------------


def digest_texts(bench: IngestBench, later: timedelta) -> list[str]:
    """Enqueue what is due, and have it delivered: the text of each digest."""
    Digests(bench.ledger, make_renderer(bench.settings), bench.settings, "test").step(NOW + later)
    found = []
    while message := bench.ledger.claim_message("test", NOW + later, timedelta(minutes=1)):
        outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
        bench.ledger.settle(message, outcome, NOW + later)
        text = message_from_bytes(message.raw, policy=policy.default).get_body(("plain",))
        assert text is not None
        found.append(" ".join(text.get_content().split()))
    return found


def test_the_digest_says_once_what_was_learned(bench):
    receive(bench, *map(stalled, ("anna", "bob")))
    assert len(digest_texts(bench, timedelta(seconds=11))) == 1
    receive(bench, stalled("chen"), later=timedelta(minutes=5))

    [second] = digest_texts(bench, timedelta(minutes=10))
    assert "3 entries turned out to be one error: word 5 of the message varies (anna, bob, chen)." in second

    receive(bench, stalled("dora"), later=timedelta(minutes=30))
    [third] = digest_texts(bench, timedelta(hours=1))
    assert "turned out" not in third


def test_a_part_that_an_administrator_takes_out_stays_out_and_the_others_stay_one_error(bench):
    receive(bench, *map(stalled, ("anna", "bob", "chen")))
    [group] = bench.ledger.groups()
    bob = bench.ledger.members(group.id)[1].group
    carry_out(bench.ledger, bench.settings, Unmerge(error=bob.id, author="eve", at=NOW))

    receive(bench, *map(stalled, ("dora", "bob", "anna", "chen")))

    assert sorted(errors(bench).values()) == [2, 5]
    assert errors(bench)[bob.title] == 2
    assert bench.books() == {"received": 7, "pending": 7}


def test_an_error_that_is_taken_apart_as_a_whole_is_never_learned_again(bench):
    receive(bench, *map(stalled, ("anna", "bob", "chen")))
    [group] = bench.ledger.groups()
    carry_out(bench.ledger, bench.settings, Unmerge(error=group.id, author="eve", at=NOW))
    assert len(errors(bench)) == 3

    receive(bench, *map(stalled, ("dora", "emil", "anna")))

    assert len(errors(bench)) == 5
