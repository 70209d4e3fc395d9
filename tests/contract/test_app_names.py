"""An app for each value of a subject: a sender has a bounded number of names that are only a subject."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from relay.ingest.app_names import MAX_GUESSED_NAMES
from relay.ledger import Ledger
from tests.support.ingest_bench import NOW, IngestBench, mail

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TOWNS = ("Bonn", "Ulm", "Jena", "Kiel", "Trier", "Mainz", "Worms", "Essen", "Halle", "Emden", "Calw", "Gera")


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> IngestBench:
    return IngestBench(tmp_path, ledger)


def receive(bench: IngestBench, *subjects: str, later: timedelta = timedelta()) -> None:
    bench.spool([mail("the printer burns", subject=subject) for subject in subjects], at=NOW + later)
    bench.ingest_all(NOW + later)


def apps(bench: IngestBench) -> dict[str, int]:
    return {group.app: group.mails for group in bench.ledger.groups()}


def test_after_eight_guessed_names_further_ones_are_shown_under_the_sender(bench: IngestBench):
    receive(bench, *(f"Daily job in {town}" for town in TOWNS))

    expected = {f"Daily job in {town}": 1 for town in TOWNS[:MAX_GUESSED_NAMES]}
    assert apps(bench) == expected | {"app@example.com": len(TOWNS) - MAX_GUESSED_NAMES}
    assert bench.books() == {"received": len(TOWNS), "pending": len(TOWNS)}


def test_a_name_stays_what_it_was_after_a_restart_and_for_another_worker(bench: IngestBench, tmp_path: Path):
    for town in TOWNS:
        receive(bench, f"Daily job in {town}")
    (tmp_path / "other").mkdir()
    other = IngestBench(tmp_path / "other", bench.ledger)

    receive(other, *(f"Daily job in {town}" for town in reversed(TOWNS)), later=MINUTE)

    expected = {f"Daily job in {town}": 2 for town in TOWNS[:MAX_GUESSED_NAMES]}
    assert apps(bench) == expected | {"app@example.com": 2 * (len(TOWNS) - MAX_GUESSED_NAMES)}


def test_names_in_brackets_and_by_a_rule_are_not_bounded(ledger: Ledger, tmp_path: Path):
    bench = IngestBench(tmp_path, ledger, app=[{"name": "Shop", "subject": "Shop *"}])
    receive(bench, *(f"[{town}] it failed" for town in TOWNS), *(f"Shop {town}" for town in TOWNS), "Other")

    assert len(apps(bench)) == len(TOWNS) + 2


def test_each_sender_has_names_of_its_own(ledger: Ledger):
    pairs = [(sender, town) for town in TOWNS for sender in ("a@example.com", "b@example.com")]

    assert ledger.admit_app_names(pairs, NOW, most=3) == set(pairs[:6])
    assert ledger.admit_app_names(pairs[::-1], NOW, most=3) == set(pairs[:6])


def test_workers_that_ask_at_once_admit_no_more_names(ledger: Ledger):
    def ask(town: str) -> bool:
        return bool(ledger.admit_app_names([("a@example.com", town)], NOW, most=3))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, TOWNS)) == 3


def test_names_that_were_not_seen_for_long_make_room(ledger: Ledger):
    assert ledger.admit_app_names([("a", "old"), ("a", "used")], NOW, most=2)
    assert ledger.admit_app_names([("a", "used")], NOW + 50 * DAY, most=2)
    while ledger.purge(NOW + 91 * DAY, samples_for=DAY, counts_for=90 * DAY):
        pass

    assert ledger.admit_app_names([("a", "new"), ("a", "newer")], NOW + 91 * DAY, most=2) == {("a", "new")}


def test_a_name_that_no_database_can_store_is_admitted_once(ledger: Ledger):
    pair = ("a\0b", "Job\0\ud800 failed")

    assert ledger.admit_app_names([pair], NOW, most=1) == {pair}
    assert ledger.admit_app_names([pair], NOW, most=1) == {pair}


def test_an_error_keeps_its_group_when_its_name_is_one_too_many_after_an_update(bench: IngestBench):
    """Version 1 knew no bound: its groups with the ninth name go on under the sender's name."""
    from relay.grouping.versions import Versions
    from relay.ingest.versions import VERSIONS

    subjects = [f"Daily job in {town}" for town in TOWNS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relay.ingest.app_names.MAX_GUESSED_NAMES", len(TOWNS))
        bench.versions = Versions(current=VERSIONS.former[1], number=1)
        receive(bench, *subjects)
    oldest = {group.app: group.id for group in bench.ledger.groups()}
    with bench.ledger.digesting("schedule", bench.ledger.lease("schedule", "test", NOW, DAY) or 0):
        pass
    _forget_names(bench.ledger)
    bench.versions = VERSIONS

    receive(bench, *subjects, later=MINUTE)

    assert {group.id for group in bench.ledger.groups()} == set(oldest.values())
    assert apps(bench)["app@example.com"] > 1


def _forget_names(ledger: Ledger) -> None:
    while ledger.purge(NOW + 2 * DAY, samples_for=365 * DAY, counts_for=MINUTE):
        break
