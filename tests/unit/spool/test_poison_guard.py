"""The poison guard: which mail was being processed when the worker died, and how often."""

from __future__ import annotations

import pytest

from relay.spool import PoisonGuard

# --- Batches and attempts ---------------------------------------------------------------------------------------------


def test_finished_batch_is_not_reported_as_interrupted(tmp_path):
    guard = PoisonGuard(tmp_path)
    assert guard.interrupted_batch() is None
    guard.begin(10, 90)
    assert guard.interrupted_batch() == (10, 90)
    guard.done()

    assert PoisonGuard(tmp_path).interrupted_batch() is None


def test_interrupted_batch_outlives_the_process_and_attempts_are_counted(tmp_path):
    """The batch kills the worker. Then, mail by mail, its second mail kills it twice."""
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


def test_three_attempts_in_which_a_mail_was_understood_count_as_one(tmp_path):
    PoisonGuard(tmp_path).begin(10, 90)
    times = []
    for _ in range(7):
        guard = PoisonGuard(tmp_path)
        times.append(guard.count_attempt(10))
        guard.survived(10)

    assert times == [1, 1, 1, 2, 2, 2, 3]


def test_very_many_attempts_are_stored_completely(tmp_path):
    guard = PoisonGuard(tmp_path)
    guard.begin(0, 1 << 40)
    for at in range(1000):
        guard.count_attempt(at << 20)
    assert PoisonGuard(tmp_path).count_attempt(999 << 20) == 2
    guard.done()

    assert PoisonGuard(tmp_path).interrupted_batch() is None


def test_state_is_void_after_a_restart_of_the_machine(tmp_path, monkeypatch):
    """After a power cut no mail is to blame."""
    PoisonGuard(tmp_path).begin(10, 90)
    monkeypatch.setattr("relay.spool.poison_guard._boot_id", lambda: "another start")

    assert PoisonGuard(tmp_path).interrupted_batch() is None


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b'{"boot": 1}', b"[]", b'{"range": [1, 2', b"\xff"])
def test_torn_file_is_ignored(tmp_path, text):
    (tmp_path / "claim").write_bytes(text)

    guard = PoisonGuard(tmp_path)

    assert guard.interrupted_batch() is None
    guard.begin(1, 2)
    assert PoisonGuard(tmp_path).interrupted_batch() == (1, 2)
