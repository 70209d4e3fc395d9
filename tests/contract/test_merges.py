"""Merged errors: one life cycle, one count, joined history; parts leave with exactly their share."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete

from relay.commands.actions import Merge, Split, Unsplit
from relay.commands.handle import carry_out
from relay.commands.joining import join_groups
from relay.config import Settings
from relay.errors import CannotMerge, LedgerBusy
from relay.ingest.carry_over import CarriedOver
from relay.ledger import GroupClaim, Ledger
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.ingest import IngestTransaction
from relay.ledger.schema import groups
from relay.ledger.steering_schema import members
from relay.model import LEARNED, Fingerprint, Group, MergedBy, Phase, Timeline, Timing
from relay.schedule.group import mute
from tests.support.ingest_bench import NOW, IngestBench, mail
from tests.support.ledger_world import DAY, HOUR, MINUTE, NOON, figures, ingest, key
from tests.support.merging import count_mails, ids_by_name, kept_apart, merge_by_name, report_pending, unmerge_by_name

TIMING = Timing()
BY = MergedBy(author="anna", reason="the same bug", at=NOON)


def steps(timeline: Timeline | None) -> tuple[int, ...]:
    return timeline.counts if timeline else ()


def only(ledger: Ledger) -> Group:
    (group,) = ledger.groups()
    return group


def test_merged_errors_have_one_entry_with_the_sum_of_both(ledger: Ledger):
    count_mails(ledger, {"a": 3, "b": 2})
    merge_by_name(ledger, "a", "b")

    group = only(ledger)

    assert (group.title, group.mails, group.pending_mails) == ("a", 5, 5)
    assert figures(ledger) == {"received": 5, "pending": 5}


def test_future_mails_of_a_part_count_at_the_face(ledger: Ledger):
    count_mails(ledger, {"a": 3, "b": 2})
    merge_by_name(ledger, "a", "b")
    report_pending(ledger, NOON + MINUTE)

    count_mails(ledger, {"b": 4}, at=NOON + 2 * MINUTE)
    count_mails(ledger, {"a": 1, "b": 1, "c": 1}, at=NOON + 3 * MINUTE, spool="2" * 32)

    found = {group.title: (group.mails, group.pending_mails, group.last_seen) for group in ledger.groups()}
    assert found == {"a": (11, 6, NOON + 3 * MINUTE), "c": (1, 1, NOON + 3 * MINUTE)}


def test_one_digest_reports_a_merged_error_and_nothing_is_left(ledger: Ledger):
    count_mails(ledger, {"a": 3, "b": 2})
    merge_by_name(ledger, "a", "b")

    assert report_pending(ledger, NOON + MINUTE) == {"a": 5}
    assert report_pending(ledger, NOON + 2 * MINUTE) == {}


def test_part_leaves_with_its_own_counts_and_what_is_pending_of_it(ledger: Ledger):
    count_mails(ledger, {"a": 3, "b": 2})
    merge_by_name(ledger, "a", "b")
    report_pending(ledger, NOON + MINUTE)
    count_mails(ledger, {"a": 1, "b": 4}, at=NOON + 2 * MINUTE)

    unmerge_by_name(ledger, "b")

    found = {group.title: (group.mails, group.pending_mails, group.phase) for group in ledger.groups()}
    assert found == {"a": (4, 1, Phase.OPEN), "b": (6, 4, Phase.OPEN)}
    assert all(group.due_at for group in ledger.groups())


def test_first_and_last_seen_are_those_of_each_error_again(ledger: Ledger):
    count_mails(ledger, {"a": 1}, at=NOON)
    count_mails(ledger, {"b": 1}, at=NOON + HOUR)
    merge_by_name(ledger, "b", "a")
    joined = only(ledger)
    count_mails(ledger, {"b": 1}, at=NOON + 2 * HOUR)
    unmerge_by_name(ledger, "a")

    assert (joined.first_seen, joined.last_seen) == (NOON, NOON + HOUR)
    found = {group.title: (group.first_seen, group.last_seen) for group in ledger.groups()}
    assert found == {"a": (NOON, NOON), "b": (NOON + HOUR, NOON + 2 * HOUR)}


def test_timeline_and_samples_are_joined_and_apart_again(ledger: Ledger):
    count_mails(ledger, {"a": 3}, at=NOON)
    count_mails(ledger, {"b": 2}, at=NOON + MINUTE)
    a = ids_by_name(ledger)["a"]
    merge_by_name(ledger, "a", "b")

    assert steps(ledger.timeline(a, NOON, NOON + MINUTE)) == (3, 2)
    assert [sample.report.message for sample in ledger.samples_of(a)] == ["b", "a"]
    with ledger.snapshot() as reads:
        assert reads.samples([a])[a].message == "b"
        assert steps(reads.timelines({a: NOON}, NOON + MINUTE)[a]) == (3, 2)
    unmerge_by_name(ledger, "b")
    assert steps(ledger.timeline(a, NOON, NOON + MINUTE)) == (3, 0)
    assert [sample.report.message for sample in ledger.samples_of(a)] == ["a"]


def test_mute_of_the_face_holds_for_all_and_stays_with_a_part_that_leaves(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 1})
    report_pending(ledger, NOON + MINUTE)
    ids = ids_by_name(ledger)
    ledger.revise(ids["a"], lambda group: mute(group, NOON + DAY, TIMING, now=NOON))
    merge_by_name(ledger, "a", "b")
    count_mails(ledger, {"a": 2, "b": 5}, at=NOON + HOUR)
    joined = only(ledger)
    unmerge_by_name(ledger, "b")

    assert (joined.muted_mails, joined.pending_mails) == (7, 0)
    found = {group.title: (group.muted_mails, group.muted_until) for group in ledger.groups()}
    assert found == {"a": (2, NOON + DAY), "b": (5, NOON + DAY)}
    assert figures(ledger) == {"received": 9, "pending": 2, "muted": 7}


def test_a_merge_of_merged_errors_is_undone_as_a_whole(ledger: Ledger):
    """B into a, then a into c: taking a out takes b with it."""
    count_mails(ledger, {"a": 1, "b": 2, "c": 4})
    merge_by_name(ledger, "a", "b")
    merge_by_name(ledger, "c", "a")
    count_mails(ledger, {"b": 8}, at=NOON + MINUTE)
    joined = only(ledger).mails

    unmerge_by_name(ledger, "a")

    assert joined == 15
    assert {group.title: group.mails for group in ledger.groups()} == {"a": 11, "c": 4}


def test_merge_across_apps_and_not_across_routes(ledger: Ledger):
    count_mails(ledger, {"a": 1})
    count_mails(ledger, {"b": 1}, app="billing")
    count_mails(ledger, {"c": 1}, route="night")
    ids = ids_by_name(ledger)

    merge_by_name(ledger, "a", "b")
    with pytest.raises(CannotMerge, match="routes"):
        merge_by_name(ledger, "a", "c")
    with ledger.steering() as tx, pytest.raises(CannotMerge, match="no error 999"):
        join_groups(tx.merges, ids["a"], 999, BY, TIMING, now=NOON)

    assert {(group.title, group.mails) for group in ledger.groups()} == {("a", 2), ("c", 1)}


def test_errors_that_are_one_already_stay_as_they_are(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 1})
    merge_by_name(ledger, "a", "b")
    ids = ids_by_name(ledger)

    with ledger.steering() as tx:
        assert join_groups(tx.merges, ids["b"], ids["a"], BY, TIMING, now=NOON) is None

    assert only(ledger).mails == 2


def test_merges_are_kept_when_the_groups_are_old_and_learned_ones_age_out(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 1, "c": 1, "d": 1})
    merge_by_name(ledger, "a", "b")
    merge_by_name(ledger, "c", "d", author=LEARNED)
    report_pending(ledger, NOON + MINUTE)
    for _ in range(5):
        ledger.purge(NOON + 100 * DAY, samples_for=DAY, counts_for=90 * DAY)

    count_mails(ledger, {"b": 1, "d": 1}, at=NOON + 101 * DAY)

    assert {group.title: group.mails for group in ledger.groups()} == {"a": 3, "d": 1}


def test_group_kept_apart_is_known_until_an_administrator_merges_it(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 1})
    ids = ids_by_name(ledger)
    with ledger.steering() as tx:
        tx.merges.keep_apart(list(ids.values()))
        tx.merges.let_merge([ids["a"]])

    assert kept_apart(ledger) == {ids["b"]}


def test_mails_that_an_earlier_release_counted_on_a_part_reach_the_face(ledger: Ledger):
    """It finds the row of the part by its key, and knows nothing of merges."""
    count_mails(ledger, {"a": 1, "b": 1})
    merge_by_name(ledger, "a", "b")
    ingest(ledger, {"b": 4}, at=NOON + MINUTE)
    count_mails(ledger, {"b": 1}, at=NOON + 2 * MINUTE)

    assert (only(ledger).mails, only(ledger).pending_mails) == (7, 7)
    unmerge_by_name(ledger, "b")
    assert {group.title: group.pending_mails for group in ledger.groups()} == {"a": 1, "b": 6}
    assert ledger.books(NOON).balanced


def test_batch_is_repeated_when_another_worker_merges_one_of_its_groups(ledger: Ledger, monkeypatch):
    count_mails(ledger, {"a": 1, "b": 1})
    known = IngestTransaction._existing

    def merged_meanwhile(self, keys):
        return dict.fromkeys(known(self, keys))

    merge_by_name(ledger, "a", "b")
    monkeypatch.setattr(IngestTransaction, "_existing", merged_meanwhile)
    with pytest.raises(LedgerBusy, match="merged by another worker"):
        count_mails(ledger, {"b": 1})
    monkeypatch.undo()
    count_mails(ledger, {"b": 1})

    assert Counter({group.title: group.mails for group in ledger.groups()}) == {"a": 3}


def test_part_whose_face_is_lost_is_an_error_of_its_own(ledger: Ledger):
    """A repaired ledger can lack rows; so can one that an earlier release has purged."""
    count_mails(ledger, {"a": 1, "b": 2})
    ids = ids_by_name(ledger)
    merge_by_name(ledger, "a", "b")
    with ledger._write(WriteMode.EXCLUSIVE) as connection:
        connection.execute(delete(groups).where(groups.c.id == ids["a"]))

    count_mails(ledger, {"b": 4}, at=NOON + MINUTE)

    assert {group.title: (group.mails, group.pending_mails) for group in ledger.groups()} == {"b": (6, 4)}
    face = ledger.face_of(ids["b"])
    assert face
    assert face.id == ids["b"]


def test_part_whose_share_is_lost_counts_once(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 2})
    merge_by_name(ledger, "a", "b")
    with ledger._write(WriteMode.EXCLUSIVE) as connection:
        connection.execute(delete(members))

    count_mails(ledger, {"b": 4}, at=NOON + MINUTE)
    joined = only(ledger).mails
    unmerge_by_name(ledger, "b")

    assert joined == 7
    assert {group.title: group.mails for group in ledger.groups()} == {"a": 1, "b": 6}
    assert ledger.books(NOON).balanced


def test_merge_holds_for_a_part_that_a_new_version_carries_over(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 2})
    merge_by_name(ledger, "a", "b")
    new = Fingerprint(version=2, key="b2", title="b, better")
    ledger.carry_over({key("b2"): GroupClaim(fingerprint=new, former=(key("b"),))})

    count_mails(ledger, {"b2": 4}, at=NOON + MINUTE)

    assert (only(ledger).title, only(ledger).mails) == ("a", 7)
    unmerge_by_name(ledger, "b2")
    assert {group.title: group.mails for group in ledger.groups()} == {"a": 1, "b, better": 6}


def test_name_of_a_merged_error_survives_a_new_version(ledger: Ledger):
    count_mails(ledger, {"a": 1, "b": 2})
    ids = ids_by_name(ledger)
    command = Merge(errors=(ids["a"], ids["b"]), name="Mailboxes", author="anna", at=NOON)
    carry_out(ledger, Settings(admins=("ada@example.com",)), command)
    ledger.carry_over(
        {key("a2"): GroupClaim(fingerprint=Fingerprint(version=2, key="a2", title="a, better"), former=(key("a"),))}
    )

    assert only(ledger).title == "Mailboxes"
    unmerge_by_name(ledger, "b")
    assert {group.title for group in ledger.groups()} == {"a, better", "b"}


def test_error_that_a_new_version_separates_from_a_part_stays_merged(ledger: Ledger):
    """Error b becomes b2, which is carried over, and b3, which is new."""
    count_mails(ledger, {"a": 1, "b": 2})
    merge_by_name(ledger, "a", "b")
    claims = {
        key(name): GroupClaim(fingerprint=Fingerprint(version=2, key=name, title=name), former=(key("b"),))
        for name in ("b2", "b3")
    }
    parents = ledger.carry_over(claims)

    count_mails(ledger, {"b2": 4, "b3": 8}, at=NOON + MINUTE, carried=CarriedOver(parents=parents))

    assert only(ledger).mails == 15
    unmerge_by_name(ledger, "b2")
    assert {group.title: group.mails for group in ledger.groups()} == {"a": 1, "b2": 14}


def test_workers_that_count_parts_of_one_error_at_once_lose_nothing(ledger: Ledger):
    names = "abcdef"
    count_mails(ledger, dict.fromkeys(names, 1))
    for name in names[1:]:
        merge_by_name(ledger, "a", name)

    def work(number: int) -> None:
        for round_ in range(8):
            mails = {names[(number + step * (number + 1)) % 6]: 1 for step in range(1 + round_ % 4)}
            while True:
                try:
                    done.append(sum(mails.values()) if count_mails(ledger, mails, spool=str(number) * 32) == 0 else 0)
                    break
                except LedgerBusy:
                    continue

    done: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert only(ledger).mails == 6 + sum(done)
    assert figures(ledger) == {"received": 6 + sum(done), "pending": 6 + sum(done)}


def test_split_of_an_error_of_two_routes_is_one_rule(ledger: Ledger, tmp_path: Path):
    """The rule names app and fingerprint: it splits the error on both routes, and ends on both."""
    route = {"name": "pager", "recipients": ["pager@example.com"], "level": "CRITICAL"}
    bench = IngestBench(tmp_path, ledger, route=[route])
    bench.spool([mail("CRITICAL: the disk is full"), mail("ERROR: the disk is full")])
    bench.ingest_all()
    one, other = (group.id for group in ledger.groups())

    carry_out(ledger, bench.settings, Split(error=one, field="host", author="anna", at=NOW))
    with pytest.raises(CannotMerge, match="split by host already, by anna"):
        carry_out(ledger, bench.settings, Split(error=other, field="release", author="bob", at=NOW))
    carry_out(ledger, bench.settings, Unsplit(error=other, author="bob", at=NOW))

    assert ledger.splits() == []
