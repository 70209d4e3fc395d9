"""The claim on a batch: which mail was being understood when the worker died, and how often."""

from __future__ import annotations

import pytest

from relay.spool import PoisonGuard

# --- Claims -----------------------------------------------------------------------------------------------------------


def test_claim_that_was_let_go_of_is_none(tmp_path):
    guard = PoisonGuard(tmp_path)
    assert guard.interrupted_batch() is None
    guard.begin(10, 90)
    assert guard.interrupted_batch() == (10, 90)
    guard.done()

    assert PoisonGuard(tmp_path).interrupted_batch() is None


def test_claim_outlives_the_process_and_counts_tries_of_a_mail(tmp_path):
    """The batch killed the worker; then, mail by mail, the second one did so twice."""
    PoisonGuard(tmp_path).begin(10, 90)

    second = PoisonGuard(tmp_path)
    assert second.interrupted_batch() == (10, 90)
    assert [second.count_attempt(10), second.count_attempt(40)] == [1, 1]

    third = PoisonGuard(tmp_path)
    assert third.interrupted_batch() == (10, 90)
    assert [third.count_attempt(10), third.count_attempt(40)] == [2, 2]
    third.begin(40, 90)
    assert third.count_attempt(40) == 3
    third.done()
    assert PoisonGuard(tmp_path).count_attempt(40) == 1


def test_of_the_times_at_which_a_mail_was_understood_three_count_as_one(tmp_path):
    PoisonGuard(tmp_path).begin(10, 90)
    times = []
    for _ in range(7):
        guard = PoisonGuard(tmp_path)
        times.append(guard.count_attempt(10))
        guard.survived(10)

    assert times == [1, 1, 1, 2, 2, 2, 3]


def test_claim_with_very_many_marks_is_kept_whole(tmp_path):
    guard = PoisonGuard(tmp_path)
    guard.begin(0, 1 << 40)
    for at in range(1000):
        guard.count_attempt(at << 20)
    assert PoisonGuard(tmp_path).count_attempt(999 << 20) == 2
    guard.done()

    assert PoisonGuard(tmp_path).interrupted_batch() is None


def test_claim_is_void_after_a_restart_of_the_machine(tmp_path, monkeypatch):
    """A power cut is no poison."""
    PoisonGuard(tmp_path).begin(10, 90)
    monkeypatch.setattr("relay.spool.poison_guard._boot_id", lambda: "another start")

    assert PoisonGuard(tmp_path).interrupted_batch() is None


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b'{"boot": 1}', b"[]", b'{"range": [1, 2', b"\xff"])
def test_torn_claim_is_none(tmp_path, text):
    (tmp_path / "claim").write_bytes(text)

    guard = PoisonGuard(tmp_path)

    assert guard.interrupted_batch() is None
    guard.begin(1, 2)
    assert PoisonGuard(tmp_path).interrupted_batch() == (1, 2)
