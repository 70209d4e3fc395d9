"""The check of the upstream without a mail, against real SMTP servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from relay import config
from relay.deliver import open_target
from relay.ledger import Ledger, sqlite_url
from relay.model import Failure, UpstreamKey, UpstreamState
from relay.outbox.check import CHECK_EVERY, READ_STATE_EVERY, UpstreamCheck
from relay.outbox.step import Outbox
from tests.support import upstream as servers
from tests.support.ledger_world import ADA, NOON, enqueue_digest

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[servers.Upstream]:
    with servers.Upstream() as started:
        yield started


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(sqlite_url(tmp_path / "data" / "ledger.db"))
    yield opened
    opened.close()


def settings_for(server: servers.Upstream, folder: Path, **more: object) -> config.Settings:
    upstream = {"host": server.host, "port": server.port, "security": "none", "timeout": "5s", **more}
    return config.make_settings(folder / "data", admins=[ADA], upstream=upstream)


def new_check(ledger: Ledger, settings: config.Settings, worker: str = "one") -> UpstreamCheck:
    return UpstreamCheck(ledger, open_target(settings), settings, worker, lambda: 0.0)


def state_of(ledger: Ledger, settings: config.Settings, worker: str = "one") -> UpstreamState:
    return ledger.upstream(UpstreamKey(worker=worker, target=settings.upstream.target))


def test_a_check_at_the_start_connects_and_sends_no_mail(server, ledger, tmp_path):
    settings = settings_for(server, tmp_path)

    assert new_check(ledger, settings).step(NOON)

    state = state_of(ledger, settings)
    assert (state.checked_at, state.last_success_at, state.failure) == (NOON, None, None)
    assert (server.connections, server.mails) == (1, [])


def test_an_idle_upstream_is_checked_every_fifteen_minutes(server, ledger, tmp_path):
    check = new_check(ledger, settings_for(server, tmp_path))
    times = [second for second in range(3_601) if check.step(NOON + second * SECOND)]

    assert times == [0, 900, 1800, 2700, 3600]


def test_a_delivery_counts_as_a_check(server, ledger, tmp_path):
    settings = settings_for(server, tmp_path)
    check = new_check(ledger, settings)
    check.step(NOON)
    enqueue_digest(ledger)
    Outbox(ledger, open_target(settings), settings, "one", lambda: 0.0).step(NOON + 10 * MINUTE)

    assert not check.step(NOON + CHECK_EVERY)
    assert check.step(NOON + 10 * MINUTE + CHECK_EVERY)


def test_a_check_that_fails_is_repeated_with_growing_pauses_until_it_works(server, ledger, tmp_path):
    settings = settings_for(server, tmp_path)
    check = new_check(ledger, settings)
    server.say("GREETING", "421 4.3.2 not now")
    times = [second // 60 for second in range(0, 1_000, 5) if check.step(NOON + second * SECOND)]
    failing = state_of(ledger, settings)
    server.reset()
    repaired = [minute for minute in range(17, 40) if check.step(NOON + minute * MINUTE)]

    assert times == [0, 1, 3, 7, 15]
    assert (failing.failure, failing.failing_since) == (Failure.UNWILLING, NOON)
    assert repaired == [31]
    assert state_of(ledger, settings).failure is None
    assert state_of(ledger, settings).outage_since == NOON


def test_a_failing_upstream_is_not_checked_while_a_message_is_queued(server, ledger, tmp_path):
    """The message makes the tries: a login that works must not shorten the pauses of one that is refused."""
    settings = settings_for(server, tmp_path)
    check = new_check(ledger, settings)
    enqueue_digest(ledger)
    server.say("GREETING", "421 4.3.2 not now")
    check.step(NOON)
    server.reset()

    assert not any(check.step(NOON + minute * MINUTE) for minute in range(1, 60))


def test_refused_credentials_are_tried_again_after_an_hour(server, ledger, tmp_path):
    with servers.Upstream(users={"relay": "right"}) as guarded:
        settings = settings_for(guarded, tmp_path, username="relay", password="wrong", auth_in_clear=True)
        check = new_check(ledger, settings)
        minutes = [minute for minute in range(130) if check.step(NOON + minute * MINUTE)]

    assert minutes == [0, 60, 120]
    assert state_of(ledger, settings).failure is Failure.AUTH


def test_another_target_is_unknown_until_it_is_checked(server, ledger, tmp_path):
    old = settings_for(server, tmp_path)
    new_check(ledger, old).step(NOON)
    with servers.Upstream() as other:
        new = settings_for(other, tmp_path)
        assert state_of(ledger, new) == UpstreamState()
        new_check(ledger, new).step(NOON)

    assert state_of(ledger, new).checked_at == NOON


def test_an_account_of_the_same_server_is_another_target(server, ledger, tmp_path):
    new_check(ledger, settings_for(server, tmp_path)).step(NOON)
    account = settings_for(server, tmp_path, username="relay", password="x", auth_in_clear=True)

    assert state_of(ledger, account) == UpstreamState()


def test_a_failure_of_one_machine_does_not_pause_another(server, ledger, tmp_path):
    """One relay may be behind a firewall: the other ones go on."""
    settings = settings_for(server, tmp_path)
    server.say("GREETING", "421 4.3.2 not now")
    new_check(ledger, settings, "blocked").step(NOON)
    server.reset()
    enqueue_digest(ledger)
    blocked, free = (Outbox(ledger, open_target(settings), settings, name, lambda: 0.0) for name in ("blocked", "free"))
    blocked._first_try = False

    assert not blocked.step(NOON + SECOND)
    assert free.step(NOON + SECOND)
    assert len(server.mails) == 1


def test_the_local_mailbox_is_not_checked(ledger, tmp_path):
    assert not new_check(ledger, config.make_settings(tmp_path / "data")).step(NOON)


def test_the_state_is_read_seldom_and_a_clock_that_is_set_back_delays_no_check(server, ledger, tmp_path):
    check = new_check(ledger, settings_for(server, tmp_path))
    check.step(NOON)

    assert not check.step(NOON + READ_STATE_EVERY)
    assert check.step(NOON - timedelta(hours=1))


def test_a_stop_ends_a_check_without_a_result(server, ledger, tmp_path):
    settings = settings_for(server, tmp_path)
    target = open_target(settings)
    target.abort()

    assert not UpstreamCheck(ledger, target, settings, "one", lambda: 0.0).step(NOON)
    assert state_of(ledger, settings) == UpstreamState()
