"""Delivery to a mail server that hangs, breaks off or talks nonsense: each try ends, bounded, with a clear word."""

import asyncio
import gc
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP

from relay import config
from relay.deliver import Upstream, upstream
from relay.errors import Interrupted
from relay.model import Attempt, Failure, RecipientReply, Verdict
from tests.support import upstream as servers
from tests.support.upstream import drop, flood, hang, trickle

RAW = b"From: relay@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nnews\r\n"
SENDER, ADMIN, OTHER = "relay@example.org", "admin@example.org", "other@example.org"
USER, PASSWORD = "relay", "corr3ct horse"
TIMEOUT = timedelta(seconds=0.5)
OVERALL = TIMEOUT.total_seconds() * (upstream.PATIENCE + upstream.PATIENCE_FOR_WORD)
BEFORE_MAIL = ["GREETING", "EHLO", "STARTTLS", "TLS", "AUTH"]
BEFORE_CONTENT = ["MAIL", "RCPT", "DATA"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[servers.Upstream]:
    """A server with STARTTLS and AUTH."""
    with servers.Upstream(
        security="starttls", certificate=authority.issue_cert("localhost"), users={USER: PASSWORD}
    ) as running:
        yield running


@pytest.fixture
def settings(server: servers.Upstream, authority: trustme.CA, tmp_path: Path) -> config.Upstream:
    """The relay's side of it; nothing but `abort` and the server's own words ends a try in time."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    where = {"host": server.host, "port": server.port, "security": "starttls", "ca_file": tmp_path / "ca.pem"}
    return config.Upstream.model_validate({**where, "username": USER, "password": PASSWORD, "timeout": "10m"})


@pytest.fixture
def target(settings: config.Upstream) -> Upstream:
    return Upstream(settings)


@pytest.fixture
def hasty(settings: config.Upstream) -> Upstream:
    return Upstream(hurried(settings))


def hurried(settings: config.Upstream) -> config.Upstream:
    """The same with little patience, less than may be configured."""
    return settings.model_copy(update={"timeout": TIMEOUT})


def impatient(host: str, port: int, security: str = "none") -> Upstream:
    return Upstream(hurried(config.Upstream.model_validate({"host": host, "port": port, "security": security})))


def deliver(target: Upstream, *recipients: str) -> Attempt:
    """Try once, and insist on the promised end."""
    began = time.monotonic()
    attempt = target.deliver(RAW, sender=SENDER, recipients=recipients or (ADMIN, OTHER), before_data=lambda: None)

    assert time.monotonic() - began < OVERALL + 3
    assert not attempt.detail or (attempt.detail.isprintable() and len(attempt.detail) < 400)
    return attempt


def ambiguous(attempt: Attempt) -> bool:
    """Whether nobody knows if the letter was taken."""
    return bool(attempt.replies) and all(
        (answer.verdict, answer.code) == (Verdict.TEMPORARY, 0) for answer in attempt.replies.values()
    )


# --- Nobody there -----------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_told_with_address_and_cause() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

    attempt = deliver(impatient("localhost", port))

    assert attempt == Attempt(
        replies={}, failure=Failure.UNREACHABLE, detail=f"localhost:{port}: cannot connect: Connection refused"
    )


def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    attempt = deliver(impatient("no such host", 25))

    assert attempt.failure is Failure.UNREACHABLE
    assert "its name cannot be resolved" in attempt.detail


def test_a_name_server_that_is_dead_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up cannot be interrupted; neither the try nor the end of its event loop waits for it."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30))

    attempt = deliver(impatient("mail.example.org", 25))
    answered.set()

    assert attempt.failure is Failure.UNREACHABLE
    assert "no answer at the connection within 0.5 s" in attempt.detail


def test_a_host_that_does_not_answer_at_all_ends_in_time() -> None:
    """The kernel leaves connections unanswered once nobody accepts the earlier ones."""
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())

        attempt = deliver(impatient("127.0.0.1", silent.getsockname()[1]))

    assert attempt.failure is Failure.UNREACHABLE
    assert "no answer at the connection" in attempt.detail


def test_a_host_that_accepts_and_says_nothing_ends_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        attempt = deliver(impatient("127.0.0.1", silent.getsockname()[1]))

    assert attempt.failure is Failure.UNREACHABLE
    assert "no answer at the greeting within 0.5 s" in attempt.detail


def test_an_implicit_tls_port_that_says_nothing_ends_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        attempt = deliver(impatient("127.0.0.1", silent.getsockname()[1], security="tls"))

    assert attempt.failure is Failure.UNREACHABLE


@pytest.mark.parametrize("first", ["2001:db8::1", "::1"])
def test_an_address_that_cannot_be_reached_is_no_matter_where_another_can(
    first: str, server: servers.Upstream, target: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv6 without a route, or refused; IPv4 takes the letter."""
    resolve = socket.getaddrinfo

    def both(host: str, *more: Any, **hints: Any) -> list[Any]:
        return resolve(first, *more, **hints) + resolve("127.0.0.1", *more, **hints)

    monkeypatch.setattr(socket, "getaddrinfo", both)

    assert {answer.verdict for answer in deliver(target).replies.values()} == {Verdict.ACCEPTED}


# --- Hangs and breaks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [*BEFORE_MAIL, *BEFORE_CONTENT])
def test_a_hang_ends_the_try_and_says_where(place: str, server: servers.Upstream, hasty: Upstream) -> None:
    server.say(place, hang)

    attempt = deliver(hasty)

    assert (attempt.failure, attempt.replies) == (Failure.UNREACHABLE, {})
    assert f"{'STARTTLS' if place == 'TLS' else place.replace('GREETING', 'greeting')}" in attempt.detail
    assert attempt.begun is (place in BEFORE_CONTENT)
    assert server.mails == []


@pytest.mark.parametrize("place", [*BEFORE_MAIL, *BEFORE_CONTENT])
def test_a_break_before_the_content_is_the_upstreams_trouble(
    place: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, drop)

    attempt = deliver(target)

    expected = Failure.NO_TLS if place in {"STARTTLS", "TLS"} else Failure.UNREACHABLE
    assert (attempt.failure, attempt.replies) == (expected, {})
    assert attempt.begun is (place in BEFORE_CONTENT)


@pytest.mark.parametrize("action", [hang, drop])
@pytest.mark.parametrize(("place", "taken"), [("DOT", 0), ("TAKEN", 1)])
def test_no_word_after_the_content_leaves_open_whether_it_was_taken(
    action: servers.Action, place: str, taken: int, server: servers.Upstream, hasty: Upstream
) -> None:
    server.say(place, action)

    attempt = deliver(hasty)

    assert attempt.failure is None
    assert set(attempt.replies) == {ADMIN, OTHER}
    assert ambiguous(attempt)
    assert len(server.mails) == taken


def test_who_was_refused_before_is_not_left_open(server: servers.Upstream, hasty: Upstream) -> None:
    server.say(f"RCPT {OTHER}", "550 5.1.1 no such user")
    server.say("TAKEN", hang)

    attempt = deliver(hasty)

    assert (attempt.replies[ADMIN].verdict, attempt.replies[ADMIN].code) == (Verdict.TEMPORARY, 0)
    assert attempt.replies[OTHER] == RecipientReply(
        verdict=Verdict.PERMANENT, code=550, text="5.1.1 no such user", step="RCPT"
    )


def test_a_hang_up_after_the_last_word_changes_nothing(server: servers.Upstream, target: Upstream) -> None:
    async def take_and_go(session: servers.Session) -> None:
        await session.say(b"250 2.0.0 taken\r\n")
        session.cut()

    server.say("TAKEN", take_and_go)

    assert {answer.verdict for answer in deliver(target).replies.values()} == {Verdict.ACCEPTED}


def test_a_server_that_reads_nothing_of_the_content_ends_in_time(server: servers.Upstream, hasty: Upstream) -> None:
    """Its window is full; neither the content nor the goodbye is waited for."""

    async def stop_reading(session: servers.Session) -> None:
        assert isinstance(session.transport, asyncio.Transport)
        session.transport.pause_reading()
        await session.say(b"354 go on\r\n")
        await hang(session)

    server.say("DATA", stop_reading)
    began = time.monotonic()

    attempt = hasty.deliver(
        RAW + (b"x" * 70 + b"\r\n") * 300_000, sender=SENDER, recipients=[ADMIN], before_data=lambda: None
    )

    assert time.monotonic() - began < OVERALL + 3
    assert ambiguous(attempt)
    assert server.mails == []


def held() -> list[str]:
    """Open descriptors and running threads, of the server's end too."""
    gc.collect()
    found = [thread.name for thread in threading.enumerate()]
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found.append(str(number.readlink()))
    return found


def test_tries_that_fail_leave_nothing_behind(server: servers.Upstream, target: Upstream) -> None:
    """No descriptor and no thread, wherever the connection broke."""
    places = (*BEFORE_MAIL, *BEFORE_CONTENT, "DOT")

    def fail_everywhere() -> None:
        for place in places:
            server.say(place, drop, times=1)
            deliver(target)

    fail_everywhere()
    before = held()
    fail_everywhere()

    deadline = time.monotonic() + 60
    while len(held()) > len(before) and time.monotonic() < deadline:
        time.sleep(0.01)
    after = held()
    assert len(after) <= len(before), (sorted(before), sorted(after))


@pytest.mark.parametrize("action", [hang, drop, "500 5.5.1 no", b"\xff\x00\r\n"])
def test_what_is_said_to_quit_is_of_no_interest(
    action: servers.Action, server: servers.Upstream, target: Upstream
) -> None:
    server.say("QUIT", action)

    assert {answer.verdict for answer in deliver(target).replies.values()} == {Verdict.ACCEPTED}


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "STARTTLS", "AUTH", *BEFORE_CONTENT])
def test_a_421_before_the_content_is_an_unwilling_upstream(
    place: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, "421 4.3.2 shutting down")

    attempt = deliver(target)

    assert (attempt.failure, attempt.replies) == (Failure.UNWILLING, {})
    assert attempt.detail.endswith("421 4.3.2 shutting down")


@pytest.mark.parametrize("reply", ["554 5.7.1 your address is on a list", "450 4.3.2 too busy"])
@pytest.mark.parametrize("place", ["GREETING", "EHLO"])
def test_a_refusal_before_any_letter_is_an_unwilling_upstream(
    place: str, reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, reply)

    attempt = deliver(target)

    assert attempt.failure is Failure.UNWILLING
    assert attempt.detail.endswith(reply)


# --- Slow -------------------------------------------------------------------------------------------------------------


def test_a_reply_that_trickles_in_has_one_timeout_in_all(server: servers.Upstream, hasty: Upstream) -> None:
    server.say("GREETING", trickle(b"220 " + b"x" * 1000 + b"\r\n", 0.01))

    attempt = deliver(hasty)

    assert attempt.failure is Failure.UNREACHABLE
    assert "no answer at the greeting" in attempt.detail


def test_replies_that_each_come_just_in_time_have_one_limit_in_all(
    server: servers.Upstream, hasty: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "PATIENCE", 3)
    server.say("RCPT", trickle(b"250 fine\r\n", 0.01))

    attempt = deliver(hasty, *(f"admin{number}@example.org" for number in range(50)))

    assert attempt.failure is Failure.UNREACHABLE
    assert "the whole try took longer than 1.5 s; it was at RCPT" in attempt.detail


def test_a_slow_but_whole_reply_is_a_reply(server: servers.Upstream, target: Upstream) -> None:
    server.say("GREETING", trickle(b"220-mail.example.org\r\n220 at your service\r\n", 0.001))

    assert {answer.verdict for answer in deliver(target).replies.values()} == {Verdict.ACCEPTED}


def test_a_server_that_needs_its_time_for_each_step_is_served(
    server: servers.Upstream, settings: config.Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps together take longer than one may, and than the word on the content may."""
    monkeypatch.setattr(upstream, "PATIENCE_FOR_WORD", 1)
    patient = Upstream(settings.model_copy(update={"timeout": timedelta(seconds=1)}))

    async def wait_and_agree(session: servers.Session) -> None:
        await asyncio.sleep(0.3)
        await session.say(b"250 2.1.0 fine\r\n")

    server.say("MAIL", wait_and_agree)
    server.say("RCPT", wait_and_agree)
    recipients = [f"admin{number}@example.org" for number in range(4)]

    attempt = deliver(patient, *recipients)

    assert not attempt.failure, attempt
    assert set(attempt.replies) == set(recipients)


def test_the_word_on_the_content_may_take_longer_than_one_step(server: servers.Upstream, hasty: Upstream) -> None:
    """Content filters take their time, and a client that gives up sends the mail twice (RFC 1047)."""
    server.say("TAKEN", trickle(b"250 2.0.0 taken\r\n", TIMEOUT.total_seconds() / 12))

    assert {answer.verdict for answer in deliver(hasty).replies.values()} == {Verdict.ACCEPTED}


# --- Nonsense ---------------------------------------------------------------------------------------------------------

GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n<html>\r\n",
    b"\x16\x03\x01\x00\xff\xfe\x00\r\n",
    b"\r\n",
    b"25 short\r\n",
    b"-25 minus\r\n",
    b"2_0 digits\r\n",
    b"000 zero\r\n",
    b"999 beyond\r\n",
    b"250-one\r\n550 two\r\n",
    b"550-one\r\n250 two\r\n",
    b"250 \xff\xfe\x00\x1b[2J\r\n250 again\r\n",
    b"250 one\r\n250 two\r\n",
]


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_reply_is_trouble_with_the_protocol(
    place: str, garbage: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, garbage)

    attempt = deliver(target)

    assert (attempt.failure, attempt.replies) == (Failure.PROTOCOL, {})
    assert server.mails == []


@pytest.mark.parametrize("reply", ["354 go on", "150 well", "650 well", "-25 well"])
def test_a_word_on_the_content_that_means_nothing_is_told_with_its_code(
    reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say("DOT", reply)

    attempt = deliver(target)

    assert ambiguous(attempt)
    assert {answer.text for answer in attempt.replies.values()} == {f"it answered with {reply}"}


@pytest.mark.parametrize(("place", "reply"), [("MAIL", "354 go on"), ("RCPT", "334 more"), ("DATA", "250 taken")])
def test_a_reply_that_does_not_fit_its_command_is_trouble_with_the_protocol(
    place: str, reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, reply)

    attempt = deliver(target)

    assert attempt.failure is Failure.PROTOCOL
    assert f"it answered {place} with {reply}" in attempt.detail


@pytest.mark.parametrize("injected", [b"250-x\r\n250 AUTH PLAIN\r\n", b"250 2.1.0 fine\r\n" * 9])
def test_what_is_said_in_clear_behind_starttls_is_never_heard(
    injected: bytes, server: servers.Upstream, target: Upstream
) -> None:
    """Somebody on the way could put words into the server's mouth (RFC 3207 section 4.2)."""

    async def go_ahead(session: servers.Session) -> None:
        await session.say(b"220 2.0.0 go ahead\r\n" + injected)
        session.mute()
        await SMTP.smtp_STARTTLS(session, "")

    server.say("STARTTLS", go_ahead)

    attempt = deliver(target)

    assert {answer.verdict for answer in attempt.replies.values()} == {Verdict.ACCEPTED}, attempt
    assert [mail.tls for mail in server.mails] == [True]
    assert [line for line in server.commands if line.startswith("AUTH")] == ["AUTH CRAM-MD5"]


@pytest.mark.parametrize("instead", [b"220 go\r\n\x16\x03\x01", b"220 go\r\n220 go\r\n"])
def test_what_is_no_handshake_behind_starttls_ends_the_try(
    instead: bytes, server: servers.Upstream, hasty: Upstream
) -> None:
    server.say("STARTTLS", instead)

    assert deliver(hasty).failure is not None
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


OFFERS = [
    b"250-x\r\n250-STARTTLS\r\n250-SIZE much\r\n250 AUTH CRAM-MD5\r\n",
    b"250-x\r\n250-STARTTLS\r\n250-SIZE\r\n250-SIZE -1\r\n250-AUTH=LOGIN\r\n250 AUTH\r\n",
    b"250-x\r\n250-STARTTLS\r\n250-SIZE " + b"9" * 5000 + b"\r\n250-\xff\xfe\x00 \x1b[2J\r\n250 \r\n",
    b"250-x\r\n" + b"250-STARTTLS\r\n" * 1500 + b"250 AUTH PLAIN\r\n",
]


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_that_makes_no_sense_is_no_error_of_ours(
    offer: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say("EHLO", offer)

    attempt = deliver(target)

    assert attempt.failure is not None
    assert attempt.detail


def test_a_yes_before_the_content_is_no_yes(server: servers.Upstream, target: Upstream) -> None:
    """The word on the content must not be one that came before it."""
    server.say("DATA", b"354 go on\r\n250 2.0.0 taken\r\n")

    attempt = deliver(target)

    assert attempt.failure is Failure.PROTOCOL
    assert "more than one reply at DATA" in attempt.detail


@pytest.mark.parametrize("garbage", [each for each in GARBAGE if not each.startswith(b"250 ")])
def test_nonsense_after_the_content_leaves_open_whether_it_was_taken(
    garbage: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say("TAKEN", garbage)

    assert ambiguous(deliver(target))


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "MAIL", "TAKEN"])
@pytest.mark.parametrize("chunk", [b"x" * 65536, b"250-more of it\r\n" * 4000, b"250 and again\r\n" * 4000])
def test_an_endless_reply_costs_neither_time_nor_memory(
    place: str, chunk: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, flood(chunk))

    tracemalloc.start()
    try:
        attempt = deliver(target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert attempt.failure is Failure.PROTOCOL or place == "TAKEN"
    assert peak < 8 * 2**20


# --- Being stopped ----------------------------------------------------------------------------------------------------


def stopped(target: Upstream, ready: Callable[[], bool]) -> Attempt | Interrupted:
    """What a try comes to that is aborted from another thread once `ready`."""
    outcome: list[Attempt | Interrupted] = []

    def work() -> None:
        try:
            outcome.append(deliver(target))
        except Interrupted as stop:
            outcome.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 5
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.005)
    target.abort()
    thread.join(5)
    return outcome[0]


@pytest.mark.parametrize("place", ["GREETING", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_stop_before_the_content_ends_the_try_at_once(place: str, server: servers.Upstream, target: Upstream) -> None:
    there = threading.Event()

    async def hang_here(session: servers.Session) -> None:
        there.set()
        await hang(session)

    server.say(place, hang_here)

    assert isinstance(stopped(target, there.is_set), Interrupted)
    assert server.mails == []


def test_a_stop_after_the_content_leaves_a_moment_for_the_word(server: servers.Upstream, target: Upstream) -> None:
    server.say("TAKEN", trickle(b"250 2.0.0 taken\r\n", 0.02))

    attempt = stopped(target, lambda: bool(server.mails))

    assert isinstance(attempt, Attempt)
    assert {answer.verdict for answer in attempt.replies.values()} == {Verdict.ACCEPTED}


def test_a_stop_does_not_wait_for_ever_for_the_word(
    monkeypatch: pytest.MonkeyPatch, server: servers.Upstream, target: Upstream
) -> None:
    monkeypatch.setattr(upstream, "GRACE", 0.1)
    server.say("TAKEN", hang)

    attempt = stopped(target, lambda: bool(server.mails))

    assert isinstance(attempt, Attempt)
    assert ambiguous(attempt)


def test_nothing_is_begun_after_a_stop(server: servers.Upstream, target: Upstream) -> None:
    target.abort()

    with pytest.raises(Interrupted):
        deliver(target)

    assert server.connections == 0
