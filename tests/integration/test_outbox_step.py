"""The outbox step with a real ledger and a real mail server; only the clock is simulated."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay import config
from relay.deliver import Upstream, open_target
from relay.errors import LedgerBusy
from relay.ledger import Ledger, StoredMessage, sqlite_url
from relay.model import Attempt, Delivery, Failure, MessageState, UpstreamKey
from relay.outbox import step as outbox_module
from relay.outbox.advice import upstream_health
from relay.outbox.step import Outbox
from tests.support import upstream as servers
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    enqueue_digest,
    figures,
)
from tests.support.upstream import drop, hang

PASSWORD = "corr3ct horse"


@pytest.fixture
def server() -> Iterator[servers.Upstream]:
    with servers.Upstream() as running:
        yield running


@pytest.fixture(autouse=True)
def tries_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every try take zero seconds, independent of the machine."""
    monkeypatch.setattr(outbox_module, "monotonic", lambda: 0.0)


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def ledger(ledger_file: Path) -> Iterator[Ledger]:
    opened = Ledger.open(sqlite_url(ledger_file), lock_timeout=timedelta(seconds=0.2))
    yield opened
    opened.close()


def settings(server: servers.Upstream, tmp_path: Path, **more: object) -> config.Settings:
    upstream = {"host": server.host, "port": server.port, "security": "none", "timeout": "5s", **more}
    return config.make_settings(tmp_path / "data", admins=[ADA], sender="relay@example.com", upstream=upstream)


def key(server: servers.Upstream, worker: str = "one") -> UpstreamKey:
    return UpstreamKey(worker=worker, target=f"{server.host}:{server.port}")


@pytest.fixture
def new_outbox(server: servers.Upstream, ledger: Ledger, tmp_path: Path) -> Callable[..., Outbox]:
    """Return a function that creates a worker's outbox. Its `jitter` is 0: every pause has its exact length."""

    def start(worker: str = "one", target: Upstream | None = None, **more: object) -> Outbox:
        made = settings(server, tmp_path, **more)
        return Outbox(ledger, target or open_target(made), made, worker, lambda: 0.0)

    return start


@pytest.fixture
def outbox(new_outbox: Callable[..., Outbox]) -> Outbox:
    return new_outbox()


def stored(ledger: Ledger, message_id: str) -> StoredMessage:
    message = ledger.message(message_id)
    assert message is not None
    return message


def tries(outbox: Outbox, ledger: Ledger, server: servers.Upstream, until: timedelta) -> list[timedelta]:
    """Return the times after noon at which the outbox connected; check that it did not a second before each."""
    times = []
    at = NOON
    while at <= NOON + until:
        before = server.connections
        outbox.step(at)
        if server.connections > before:
            times.append(at - NOON)
        due = ledger.next_try_at()
        if due is None:
            break
        due = max(due, ledger.upstream(key(server)).next_try_at or due)
        if due > at + SECOND:
            assert not outbox.step(due - SECOND)
        at = max(due, at + SECOND)
    return times


def minutes(*numbers: float) -> list[timedelta]:
    return [timedelta(minutes=number) for number in numbers]


# --- When it has nothing to do ----------------------------------------------------------------------------------------


def test_step_knows_when_the_next_message_is_due(outbox: Outbox, ledger: Ledger, server: servers.Upstream) -> None:
    assert outbox.step(NOON) is False
    assert outbox.next_step_at is None, "nothing is queued"

    server.say("RCPT", "451 4.7.1 greylisted")
    enqueue_digest(ledger, ADA)
    assert outbox.step(NOON)
    assert outbox.step(NOON + SECOND) is False

    due = ledger.next_try_at()
    assert due
    assert due > NOON
    assert outbox.next_step_at == due


def test_step_knows_when_the_pause_of_the_upstream_ends(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.stop()
    enqueue_digest(ledger, ADA)
    assert outbox.step(NOON)
    assert outbox.step(NOON + SECOND) is False

    assert outbox.next_step_at == ledger.upstream(key(server)).next_try_at


# --- Delivery ---------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_once_and_its_mails_are_reported(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    message = enqueue_digest(ledger, ADA, BOB)

    assert [outbox.step(NOON), outbox.step(NOON), outbox.step(NOON + DAY)] == [True, False, False]
    [mail] = server.mails
    assert (mail.sender, mail.recipients, mail.message_id) == (
        "relay@example.com",
        (ADA, BOB),
        f"<{message}@relay.test>",
    )
    assert stored(ledger, message).state is MessageState.SENT
    assert figures(ledger) == {"received": 3, "reported": 3}
    assert ledger.upstream(key(server)).last_success_at == NOON


def test_messages_are_sent_oldest_first(outbox: Outbox, ledger: Ledger, server: servers.Upstream) -> None:
    for place, route in enumerate(("first", "second", "third")):
        enqueue_digest(ledger, route=route, at=NOON + place * SECOND)

    while outbox.step(NOON + MINUTE):
        pass

    assert [mail.message["Subject"] for mail in server.mails] == ["first", "second", "third"]


def test_without_an_upstream_messages_go_to_the_local_mailbox(ledger: Ledger, tmp_path: Path) -> None:
    local = config.make_settings(tmp_path / "data")
    message = enqueue_digest(ledger, "admins@localhost")

    Outbox(ledger, open_target(local), local, "one", lambda: 0.0).step(NOON)

    [path] = (tmp_path / "data" / "mailbox" / "new").iterdir()
    assert f"Message-ID: <{message}@relay.test>\n".encode() in path.read_bytes()
    assert stored(ledger, message).state is MessageState.SENT


# --- Refusals ---------------------------------------------------------------------------------------------------------


def test_a_recipient_who_accepted_gets_no_repeat(outbox: Outbox, ledger: Ledger, server: servers.Upstream) -> None:
    server.say(f"RCPT {BOB}", "451 4.7.1 greylisted", times=2)
    message = enqueue_digest(ledger, ADA, BOB)

    assert tries(outbox, ledger, server, HOUR) == minutes(0, 1, 3)
    assert [mail.recipients for mail in server.mails] == [(ADA,), (BOB,)]
    assert len({mail.message_id for mail in server.mails}) == 1
    assert stored(ledger, message).state is MessageState.SENT


def test_one_refused_recipient_does_not_make_a_dead_letter(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {BOB}", "550 5.1.1 no such user")
    message = enqueue_digest(ledger, ADA, BOB)

    assert len(tries(outbox, ledger, server, 3 * HOUR)) == 3
    assert [mail.recipients for mail in server.mails] == [(ADA,)]
    assert stored(ledger, message).state is MessageState.SENT
    assert {each.recipient: (each.code, each.text) for each in stored(ledger, message).deliveries}[BOB] == (
        550,
        "5.1.1 no such user",
    )
    assert figures(ledger) == {"received": 3, "reported": 3}


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "DOT"])
def test_a_permanently_refused_message_is_tried_three_times_within_an_hour(
    place: str, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(place, "554 5.7.1 no")
    message = enqueue_digest(ledger)

    times = tries(outbox, ledger, server, 3 * HOUR)

    assert len(times) == 3
    assert times[-1] <= HOUR
    assert stored(ledger, message).state is MessageState.DEAD
    assert figures(ledger) == {"received": 3, "undelivered": 3}
    assert ledger.raw(message)


def test_a_dead_letter_can_be_revived(outbox: Outbox, ledger: Ledger, server: servers.Upstream) -> None:
    server.say("DOT", "554 5.7.1 no")
    message = enqueue_digest(ledger)
    tries(outbox, ledger, server, HOUR)
    server.reset()

    assert ledger.retry(message, NOON + DAY)
    outbox.step(NOON + DAY)

    assert [mail.message_id for mail in server.mails] == [f"<{message}@relay.test>"]
    assert figures(ledger) == {"received": 3, "reported": 3}


@pytest.mark.parametrize(
    ("place", "reply"),
    [
        ("MAIL", "450 4.7.1 slow down"),
        ("RCPT", "451 4.7.1 greylisted"),
        ("DATA", "451 4.3.0 no"),
        ("DOT", "452 4.3.1 full"),
    ],
)
def test_a_temporarily_refused_message_is_retried_with_growing_pauses(
    place: str, reply: str, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(place, reply)
    enqueue_digest(ledger)

    assert tries(outbox, ledger, server, 2 * HOUR) == minutes(0, 1, 3, 7, 15, 31, 61, 91)
    assert figures(ledger) == {"received": 3, "pending": 3}


def test_a_message_refused_for_five_days_is_a_dead_letter(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("DATA", "451 4.3.0 later")
    message = enqueue_digest(ledger)

    times = tries(new_outbox(retry=["1h", "6h"]), ledger, server, 6 * DAY)

    assert 5 * DAY <= times[-1] <= 5 * DAY + 6 * HOUR
    assert stored(ledger, message).state is MessageState.DEAD


# --- Too large --------------------------------------------------------------------------------------------------------

TEXT = "7 new\r\n" + "boom: line after line of a trace\r\n" * 800
LARGE = (
    "From: relay@example.com\r\nTo: ada@example.com\r\nSubject: 7 new\r\nMIME-Version: 1.0\r\n{message_id}"
    'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    f"--b\r\nContent-Type: text/plain\r\n\r\n{TEXT}"
    f"--b\r\nContent-Type: text/html\r\n\r\n<pre>{TEXT}</pre>\r\n--b--\r\n"
)


@pytest.mark.parametrize("most", [40_000, 12_000])
@pytest.mark.parametrize("announced", [True, False])
def test_a_message_that_is_too_large_is_sent_at_once_in_a_shorter_version(
    most: int, announced: bool, new_outbox: Callable[..., Outbox], ledger: Ledger, tmp_path: Path
) -> None:
    """The server states its limit in its EHLO reply, or by refusing the content."""
    with servers.Upstream(max_size=most if announced else 32 * 2**20) as server:

        async def check_size(session: servers.Session) -> None:
            if session.content_size > most:
                await session.send(b"552 5.3.4 message too big\r\n")
            else:
                server.reset()
                await session.send(b"451 4.3.0 but not now\r\n")

        if not announced:
            server.say("DOT", check_size)
        made = settings(server, tmp_path)
        outbox = new_outbox(target=open_target(made))
        message = enqueue_digest(ledger, ADA, BOB, raw=LARGE)
        with capture_logs() as logs:
            for minute in range(5):
                while outbox.step(NOON + minute * MINUTE):
                    pass

        [mail] = server.mails
    assert len(mail.raw) <= most
    assert (mail.recipients, mail.message_id) == ((ADA, BOB), f"<{message}@relay.test>")
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("7 new")
    assert not mail.message.is_multipart()
    assert ledger.raw(message) == mail.raw
    assert figures(ledger) == {"received": 3, "reported": 3}
    assert any("the message is too large; a shorter version is sent" in line["event"] for line in logs)


def test_a_message_that_is_too_large_in_every_version_is_a_dead_letter(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    """Three times within an hour, each time in all three versions. It is kept as a whole."""
    server.say("MAIL", "552 5.3.4 message too big")
    message = enqueue_digest(ledger, raw=LARGE)
    whole = ledger.raw(message)

    times = tries(outbox, ledger, server, HOUR)

    assert [at - at % MINUTE for at in times] == [at for at in minutes(0, 10, 40) for _ in range(3)]
    assert stored(ledger, message).state is MessageState.DEAD
    assert ledger.raw(message) == whole
    assert figures(ledger) == {"received": 3, "undelivered": 3}


def test_a_shorter_version_costs_no_refusal_and_the_whole_message_is_kept_until_one_was_accepted(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("MAIL", "552 5.3.4 message too big", times=2)
    server.say("DOT", "451 4.3.0 but not now", times=1)
    message = enqueue_digest(ledger, raw=LARGE)
    whole = ledger.raw(message) or b""

    for _ in range(3):
        outbox.step(NOON)

    assert (stored(ledger, message).tries, stored(ledger, message).refusals) == (1, 0)
    assert ledger.raw(message) == whole

    outbox.step(NOON + MINUTE)

    [mail] = server.mails
    assert len(mail.raw) < len(whole) / 2
    assert ledger.raw(message) == mail.raw


def test_a_full_mailbox_is_no_reason_to_shorten_the_message(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {ADA}", "552 5.2.2 mailbox full", times=1)
    message = enqueue_digest(ledger, ADA, raw=LARGE)
    before = ledger.raw(message)

    assert tries(outbox, ledger, server, HOUR) == minutes(0, 30)
    assert ledger.raw(message) == before


LIMITS = {
    "Gmail": b"550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
    b"550-5.4.5 sending limits go to\r\n550 5.4.5  https://support.google.com/a/answer/166852 x - gsmtp\r\n",
    "relay quota": b"552 x Message would take you over your relay quota of 500 Current quota used: 487\r\n",
    "Exchange": b"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; quota exceeded\r\n",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_a_day_costs_no_refusal_and_the_message_waits(
    limit: str, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("DOT", LIMITS[limit])
    message = enqueue_digest(ledger, raw=LARGE)
    whole = ledger.raw(message)

    times = tries(outbox, ledger, server, DAY)

    assert times == [half_hour * 30 * MINUTE for half_hour in range(49)]
    assert (stored(ledger, message).state, stored(ledger, message).refusals) == (MessageState.OPEN, 0)
    state = ledger.upstream(key(server))
    assert "[budget]" in upstream_health(state, name="x", next_message_at=None, now=NOON, zone=UTC).sentence

    server.reset()
    outbox.step(NOON + DAY + HOUR)

    assert [mail.raw for mail in server.mails] == [whole]


def test_an_upstream_that_accepts_no_message_is_not_reported_as_working(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("MAIL", "450 4.7.1 slow down")
    enqueue_digest(ledger)

    outbox.step(NOON)

    state = ledger.upstream(key(server))
    assert (state.failure, state.last_success_at, state.next_try_at) == (Failure.REFUSED, None, None)
    assert state.detail == (
        f"localhost:{server.port}: it did not accept the last message: {ADA}: 450 4.7.1 slow down (at MAIL)"
    )


def test_a_temporarily_refused_message_does_not_delay_the_next_one(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {ADA}", "451 4.7.1 greylisted")
    enqueue_digest(ledger, ADA, route="slow")
    enqueue_digest(ledger, BOB, route="fast", at=NOON + SECOND)

    assert [outbox.step(NOON + SECOND), outbox.step(NOON + SECOND)] == [True, True]
    assert [mail.recipients for mail in server.mails] == [(BOB,)]


# --- Failures of the upstream -----------------------------------------------------------------------------------------


def test_a_failing_upstream_is_retried_with_growing_pauses_and_no_message_loses_a_try(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("GREETING", "421 4.3.2 not now")
    messages = [enqueue_digest(ledger, route=route) for route in ("one", "two", "three")]

    assert tries(outbox, ledger, server, 2 * HOUR) == minutes(0, 1, 3, 7, 15, 31, 61, 91)
    assert [stored(ledger, message).tries for message in messages] == [0, 0, 0]
    state = ledger.upstream(key(server))
    assert (state.failures, state.failing_since, state.failure) == (8, NOON, Failure.UNWILLING)


def test_after_an_outage_all_messages_are_sent_and_the_outage_is_stored(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    messages = [enqueue_digest(ledger, route=route) for route in ("one", "two", "three")]
    server.stop()
    outbox.step(NOON)
    server.start()

    assert not outbox.step(NOON + MINUTE - SECOND)
    while outbox.step(NOON + MINUTE):
        pass

    assert sorted(mail.message_id for mail in server.mails) == sorted(f"<{message}@relay.test>" for message in messages)
    state = ledger.upstream(key(server))
    assert (state.failures, state.failure, state.detail) == (0, None, "")
    assert (state.outage_since, state.outage_until) == (NOON, NOON + MINUTE)


def test_a_day_without_the_upstream_loses_nothing(outbox: Outbox, ledger: Ledger, server: servers.Upstream) -> None:
    message = enqueue_digest(ledger)
    server.stop()
    tries(outbox, ledger, server, DAY)
    server.start()

    outbox.step(NOON + DAY + HOUR)

    assert [mail.message_id for mail in server.mails] == [f"<{message}@relay.test>"]
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_an_outage_longer_than_give_up_after_does_not_give_up_messages(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    """An upstream may greylist a relay that it has not seen for a while."""
    outbox = new_outbox(retry=["5m", "10m", "6h"])
    message = enqueue_digest(ledger)
    server.stop()
    tries(outbox, ledger, server, 6 * DAY)
    server.start()
    server.say("RCPT", "451 4.7.1 greylisted", times=2)

    for minute in range(60):
        outbox.step(NOON + 7 * DAY + minute * MINUTE)

    assert stored(ledger, message).state is MessageState.SENT


def test_refused_credentials_are_retried_once_an_hour(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("MAIL", "530 5.7.0 Authentication required")
    enqueue_digest(ledger)

    assert tries(new_outbox(), ledger, server, 3 * HOUR) == minutes(0, 60, 120, 180)
    assert ledger.upstream(key(server)).failure is Failure.AUTH


def test_a_restart_tries_at_once_and_then_pauses_again(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("MAIL", "530 5.7.0 Authentication required")
    enqueue_digest(ledger)
    new_outbox().step(NOON)

    restarted = new_outbox("two")

    assert [restarted.step(NOON + SECOND), restarted.step(NOON + 2 * SECOND)] == [True, False]
    assert server.connections == 2


@pytest.mark.parametrize("action", [drop, "421 4.3.2 cannot look that up"])
def test_after_a_failure_during_one_message_another_message_makes_the_next_try(
    action: servers.Action, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {ADA}", action)
    stuck = enqueue_digest(ledger, ADA, route="stuck")
    enqueue_digest(ledger, BOB, route="fine", at=NOON + SECOND)

    times = tries(outbox, ledger, server, 20 * MINUTE)

    assert times[:3] == [timedelta(), MINUTE, MINUTE + SECOND]
    assert [mail.recipients for mail in server.mails] == [(BOB,)]
    assert len(times) <= 7
    assert (stored(ledger, stuck).state, stored(ledger, stuck).ambiguous) == (MessageState.OPEN, False)


@pytest.mark.parametrize(
    ("action", "tries"), [(drop, 2), ("421 4.3.2 cannot look that up", 2), ("530 5.7.1 log in to send there", 1)]
)
def test_a_recipient_at_which_sessions_fail_does_not_delay_the_others(
    action: servers.Action, tries: int, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {ADA}", action)
    message = enqueue_digest(ledger, ADA, BOB)

    for number in range(tries):  # one failure may come from the network
        outbox.step(NOON + 2 * number * MINUTE)

    assert [mail.recipients for mail in server.mails] == [(BOB,)]
    assert {each.recipient: each.state for each in stored(ledger, message).deliveries} == {
        ADA: Delivery.QUEUED,
        BOB: Delivery.SENT,
    }
    assert not stored(ledger, message).ambiguous
    assert ledger.upstream(key(server)).failure is None
    assert f"not accepted for {ADA}: " in ledger.upstream(key(server)).detail


def test_recipients_above_the_servers_limit_get_the_mail_in_the_next_transaction(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    """The server accepts two recipients at a time. With pauses between the tries the last one would wait for hours."""
    people = [f"{name}@example.com" for name in ("ada", "bob", "cy", "dora", "eve")]
    message = enqueue_digest(ledger, *people)
    for recipient, times in zip(people[2:], (1, 1, 2), strict=True):
        server.say(f"RCPT {recipient}", "452 4.5.3 too many recipients", times=times)

    while outbox.step(NOON):
        pass

    assert [mail.recipients for mail in server.mails] == [tuple(people[:2]), tuple(people[2:4]), (people[4],)]
    assert stored(ledger, message).state is MessageState.SENT


def test_a_recipient_with_a_full_mailbox_waits_for_half_an_hour(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(f"RCPT {ADA}", "452 4.2.2 mailbox full")
    enqueue_digest(ledger, ADA, BOB)

    assert tries(outbox, ledger, server, HOUR) == minutes(0, 30, 60)


def test_credentials_required_for_one_recipient_do_not_delay_other_messages(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    """Some servers require credentials for outside recipients, and say so at RCPT."""
    server.say(f"RCPT {ADA}", "530 5.7.1 log in to send there")
    stuck = enqueue_digest(ledger, ADA, route="stuck")
    enqueue_digest(ledger, BOB, route="fine", at=NOON + SECOND)

    times = tries(outbox, ledger, server, 3 * HOUR)

    assert times == minutes(0, 1, 60, 120, 180)
    assert [mail.recipients for mail in server.mails] == [(BOB,)]
    assert stored(ledger, stuck).state is MessageState.OPEN


def test_a_pause_begins_at_the_end_of_a_try(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next try would follow at once after a try that hung for two minutes."""
    readings = iter([1000.0, 1120.9])
    monkeypatch.setattr(outbox_module, "monotonic", lambda: next(readings))
    server.say("GREETING", "421 4.3.2 not now")
    enqueue_digest(ledger)

    outbox.step(NOON)

    assert ledger.upstream(key(server)).next_try_at == NOON + 2 * MINUTE + MINUTE


# --- Clock changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [DAY, 365 * DAY])
@pytest.mark.parametrize(
    ("place", "reply"), [("GREETING", "421 4.3.2 not now"), ("RCPT", "451 4.7.1 later"), ("DOT", "554 5.6.0 no")]
)
@pytest.mark.parametrize("restarts", [False, True])
def test_after_the_clock_was_set_back_all_messages_are_sent_at_once(
    ahead: timedelta,
    place: str,
    reply: str,
    restarts: bool,
    new_outbox: Callable[..., Outbox],
    ledger: Ledger,
    server: servers.Upstream,
) -> None:
    """It was ahead while messages were enqueued and refused: they must not wait for a time of that clock."""
    outbox = new_outbox()
    server.say(place, reply)
    messages = [enqueue_digest(ledger, route=route, at=NOON + ahead) for route in ("one", "two")]
    for minute in range(12):
        outbox.step(NOON + ahead + minute * MINUTE)
    server.reset()
    before = server.connections

    outbox = new_outbox() if restarts else outbox
    while outbox.step(NOON):
        pass

    assert sorted(mail.message_id for mail in server.mails) == sorted(f"<{message}@relay.test>" for message in messages)
    assert server.connections == before + 2


def test_a_message_enqueued_while_the_clock_was_set_back_is_sent_a_minute_later(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    outbox.step(NOON + DAY)
    outbox.step(NOON)
    enqueue_digest(ledger, at=NOON + DAY)

    assert [outbox.step(NOON + SECOND), outbox.step(NOON + MINUTE)] == [False, True]
    assert len(server.mails) == 1


@pytest.mark.parametrize(("place", "reply"), [("GREETING", "421 4.3.2 not now"), ("RCPT", "451 4.7.1 later")])
def test_a_clock_that_jumps_a_year_ahead_and_back_causes_no_flood_of_tries(
    place: str, reply: str, outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say(place, reply)
    message = enqueue_digest(ledger)
    clock = [NOON + second * SECOND for second in range(300)]
    clock += [at + 365 * DAY for at in clock]
    clock += [NOON + (300 + second) * SECOND for second in range(300)]

    for at in clock:
        outbox.step(at)

    assert server.connections <= 12, "each jump may cause one try more than the usual pauses allow"
    assert (stored(ledger, message).state, len(server.mails)) == (MessageState.OPEN, 0)


def test_workers_with_different_clocks_do_not_cancel_each_others_pauses(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    """Another worker's pause may end hours ahead of this worker's clock: this clock was not set back."""
    server.say("GREETING", "421 4.3.2 not now")
    enqueue_digest(ledger)
    ahead, behind = new_outbox("ahead"), new_outbox("behind")
    behind.step(NOON)

    for second in range(600):
        ahead.step(NOON + 3 * HOUR + second * SECOND)
        behind.step(NOON + second * SECOND)

    assert server.connections <= 10


# --- Missing replies --------------------------------------------------------------------------------------------------


def test_a_message_without_a_final_reply_is_sent_again_with_the_same_message_id(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("ACCEPTED", drop, times=1)
    message = enqueue_digest(ledger)

    outbox.step(NOON)

    between = stored(ledger, message)
    assert (between.state, between.ambiguous, between.tries) == (MessageState.OPEN, True, 1)
    assert ledger.upstream(key(server)).failure is Failure.UNREACHABLE

    outbox.step(NOON + 2 * MINUTE)

    assert [mail.message_id for mail in server.mails] == [f"<{message}@relay.test>"] * 2
    assert (stored(ledger, message).state, stored(ledger, message).ambiguous) == (MessageState.SENT, True)
    assert ledger.upstream(key(server)).failure is None


def test_a_message_refused_after_its_content_is_not_ambiguous(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("DOT", "451 4.3.0 later")
    message = enqueue_digest(ledger)

    outbox.step(NOON)

    assert stored(ledger, message).ambiguous is False


def test_a_message_is_marked_ambiguous_before_its_content_is_sent(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    """A worker that is killed while it waits for the final reply leaves this mark in the ledger."""
    marked: list[bool] = []
    reached = threading.Event()

    async def check_mark(session: servers.Session) -> None:
        marked.append(stored(ledger, message).ambiguous)
        reached.set()
        await session.send(b"354 go on\r\n")
        await hang(session)

    message = enqueue_digest(ledger)
    server.say("DATA", check_mark)
    working = threading.Thread(target=outbox.step, args=(NOON,))
    working.start()
    assert reached.wait(10)

    assert marked == [True]
    assert ledger.claim_message("two", NOON + SECOND, MINUTE) is None
    next_claim = ledger.claim_message("two", NOON + HOUR, MINUTE)
    assert next_claim is not None
    assert (next_claim.id, next_claim.ambiguous) == (message, True)
    server.stop()
    working.join(10)


# --- Other workers, and a busy ledger ---------------------------------------------------------------------------------


def test_two_workers_on_one_ledger_send_nothing_twice(
    new_outbox: Callable[..., Outbox], ledger: Ledger, server: servers.Upstream
) -> None:
    messages = [enqueue_digest(ledger, route=f"route{number}") for number in range(20)]

    def work(outbox: Outbox) -> None:
        while any(message.state is MessageState.OPEN for message in ledger.messages()):
            try:
                outbox.step(NOON)
            except LedgerBusy:
                continue

    threads = [threading.Thread(target=work, args=(new_outbox(name),)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(mail.message_id for mail in server.mails) == sorted(f"<{message}@relay.test>" for message in messages)


def test_a_message_claimed_by_another_worker_is_not_sent_by_this_one(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    async def claim_for_another_worker(session: servers.Session) -> None:
        assert ledger.claim_message("two", NOON + HOUR, HOUR)
        await session.send(b"250 2.1.5 fine\r\n")

    server.say("RCPT", claim_for_another_worker)
    enqueue_digest(ledger)

    assert outbox.step(NOON) is False
    assert "DATA" not in server.commands


def test_an_outcome_that_could_not_be_stored_is_stored_before_the_next_try(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream, ledger_file: Path
) -> None:
    """Otherwise the message would be sent again after its claim expired."""
    lock = sqlite3.connect(ledger_file, isolation_level=None, check_same_thread=False)

    async def lock_the_ledger(session: servers.Session) -> None:
        lock.execute("BEGIN IMMEDIATE")
        await session.send(b"250 2.0.0 accepted\r\n")

    server.say("ACCEPTED", lock_the_ledger)
    message = enqueue_digest(ledger)

    with pytest.raises(LedgerBusy):
        outbox.step(NOON)
    with pytest.raises(LedgerBusy):
        outbox.step(NOON + HOUR)
    lock.close()
    outbox.step(NOON + 2 * HOUR)

    assert len(server.mails) == 1
    assert stored(ledger, message).state is MessageState.SENT
    assert ledger.upstream(key(server)).last_success_at is not None


def test_nothing_is_sent_if_the_ledger_is_busy_before_the_content(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream, ledger_file: Path
) -> None:
    lock = sqlite3.connect(ledger_file, isolation_level=None, check_same_thread=False)

    async def lock_the_ledger(session: servers.Session) -> None:
        lock.execute("BEGIN IMMEDIATE")
        await session.send(b"250 2.1.5 fine\r\n")

    server.say("RCPT", lock_the_ledger)
    message = enqueue_digest(ledger)

    with pytest.raises(LedgerBusy):
        outbox.step(NOON)
    lock.close()

    assert server.mails == []
    assert ledger.upstream(key(server)).failures == 0
    assert (stored(ledger, message).state, stored(ledger, message).tries) == (MessageState.OPEN, 0)


def test_a_stop_releases_the_message_unchanged(
    ledger: Ledger, server: servers.Upstream, new_outbox: Callable[..., Outbox], tmp_path: Path
) -> None:
    target = Upstream(settings(server, tmp_path).upstream)
    stopping = new_outbox(target=target)

    async def stop(session: servers.Session) -> None:
        target.abort()
        await hang(session)

    server.say("RCPT", stop, times=1)
    message = enqueue_digest(ledger)

    assert stopping.step(NOON) is False
    assert (stored(ledger, message).tries, stored(ledger, message).claimed_by) == (0, "")
    assert ledger.upstream(key(server)).failures == 0
    assert new_outbox("two").step(NOON)
    assert len(server.mails) == 1


def test_an_internal_error_on_one_message_does_not_stop_the_others(
    ledger: Ledger, server: servers.Upstream, new_outbox: Callable[..., Outbox], tmp_path: Path
) -> None:
    class Faulty(Upstream):
        def deliver(self, raw: bytes, **how: object) -> Attempt:
            if b"Subject: faulty" in raw:
                raise ZeroDivisionError("on " + raw.decode())
            return super().deliver(raw, **how)  # type: ignore[arg-type]

    outbox = new_outbox(target=Faulty(settings(server, tmp_path).upstream))
    faulty = enqueue_digest(ledger, ADA, route="faulty")
    enqueue_digest(ledger, BOB, route="fine", at=NOON + SECOND)

    with capture_logs() as logs:
        for minute in range(3):
            outbox.step(NOON + minute * MINUTE)

    assert [mail.recipients for mail in server.mails] == [(BOB,)]
    assert "internal error in the relay" in logs[0]["event"]
    assert not any("Message-ID:" in str(line) or "exc_info" in line for line in logs)
    assert stored(ledger, faulty).deliveries[0].text == "internal error in the relay: ZeroDivisionError"


# --- The log ----------------------------------------------------------------------------------------------------------


def test_the_log_reports_the_failure_without_a_secret(ledger: Ledger, tmp_path: Path) -> None:
    enqueue_digest(ledger)
    with servers.Upstream(users={"relay": PASSWORD}) as server, capture_logs() as logs:
        server.say("AUTH", f"535 5.7.8 {PASSWORD} is wrong", times=3)
        made = settings(server, tmp_path, username="relay", password=PASSWORD, auth_in_clear=True)
        outbox = Outbox(ledger, open_target(made), made, "one", lambda: 0.0)
        outbox.step(NOON)
        outbox.step(NOON + HOUR)

    assert [line["event"] for line in logs] == [
        "the upstream failed; messages wait",
        "the upstream works again",
        "the upstream accepted the message",
    ]
    assert "refused the credentials (LOGIN): 535 5.7.8 *** is wrong" in str(logs[0]["detail"])
    assert not any(PASSWORD in str(line) for line in logs)


def test_the_log_names_the_recipient_that_was_given_up_and_the_reason(
    outbox: Outbox, ledger: Ledger, server: servers.Upstream
) -> None:
    server.say("RCPT", "550 5.1.1 no such user")
    enqueue_digest(ledger)

    with capture_logs() as logs:
        tries(outbox, ledger, server, HOUR)

    assert [line["event"] for line in logs[-2:]] == [
        "given up for this recipient",
        "dead letter: no recipient accepted it; see `relay outbox list`, then `retry` or `drop`",
    ]
    assert (logs[-2]["recipient"], logs[-2]["reply"]) == (ADA, "550 5.1.1 no such user (at RCPT)")
