"""Delivery to a mail server that hangs, disconnects or sends garbage: each try ends in time, with a clear failure."""

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
from relay.deliver.session import Session
from relay.errors import Interrupted
from relay.model import Attempt, Failure, RecipientReply, Verdict
from tests.support import upstream as servers
from tests.support.upstream import drop, flood, hang, trickle

RAW = b"From: relay@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nnews\r\n"
SENDER, ADMIN, OTHER = "relay@example.org", "admin@example.org", "other@example.org"
USER, PASSWORD = "relay", "corr3ct horse"
TIMEOUT = timedelta(seconds=0.5)
OVERALL = TIMEOUT.total_seconds() * (upstream.TIMEOUTS_BEFORE_CONTENT + upstream.TIMEOUTS_FOR_CONTENT)
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
    """Settings with a timeout so long that only a reply, a closed connection or `abort` ends a try."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    where = {"host": server.host, "port": server.port, "security": "starttls", "ca_file": tmp_path / "ca.pem"}
    return config.Upstream.model_validate({**where, "username": USER, "password": PASSWORD, "timeout": "10m"})


@pytest.fixture
def target(settings: config.Upstream) -> Upstream:
    return Upstream(settings)


@pytest.fixture
def quick(settings: config.Upstream) -> Upstream:
    return Upstream(with_short_timeout(settings))


def with_short_timeout(settings: config.Upstream) -> config.Upstream:
    """Return the settings with a timeout below the configurable minimum."""
    return settings.model_copy(update={"timeout": TIMEOUT})


def quick_upstream(host: str, port: int, security: str = "none") -> Upstream:
    return Upstream(
        with_short_timeout(config.Upstream.model_validate({"host": host, "port": port, "security": security}))
    )


def deliver(target: Upstream, *recipients: str) -> Attempt:
    """Try once, and check that the try ends within the guaranteed time."""
    began = time.monotonic()
    attempt = target.deliver(RAW, sender=SENDER, recipients=recipients or (ADMIN, OTHER), before_data=lambda: None)

    assert time.monotonic() - began < OVERALL + 3
    assert not attempt.detail or (attempt.detail.isprintable() and len(attempt.detail) < 400)
    return attempt


def ambiguous(attempt: Attempt) -> bool:
    """Return whether the message may have been accepted although the reply is missing."""
    return bool(attempt.replies) and all(
        (reply.verdict, reply.code) == (Verdict.TEMPORARY, 0) for reply in attempt.replies.values()
    )


# --- Connecting -------------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_reported_with_address_and_cause() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]

    attempt = deliver(quick_upstream("localhost", port))

    assert attempt == Attempt(
        replies={}, failure=Failure.UNREACHABLE, detail=f"localhost:{port}: cannot connect: Connection refused"
    )


def test_an_unknown_host_name_is_reported() -> None:
    """The configuration refuses this name. The resolver refuses it too, without asking a name server."""
    named = config.Upstream.model_validate({"host": "localhost", "port": 25, "security": "none"})
    attempt = deliver(Upstream(with_short_timeout(named.model_copy(update={"host": "no such host"}))))

    assert attempt.failure is Failure.UNREACHABLE
    assert "the host name cannot be resolved" in attempt.detail


def test_a_dead_name_server_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up cannot be interrupted: neither the try nor the close of its event loop waits for it."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30))

    attempt = deliver(quick_upstream("mail.example.org", 25))
    answered.set()

    assert attempt.failure is Failure.UNREACHABLE
    assert "no reply at connect within 0.5 s" in attempt.detail


def test_a_connection_without_any_reply_ends_in_time() -> None:
    """The kernel does not reply to a connection while the backlog is full."""
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())

        attempt = deliver(quick_upstream("127.0.0.1", silent.getsockname()[1]))

    assert attempt.failure is Failure.UNREACHABLE
    assert "no reply at connect" in attempt.detail


def test_a_server_that_sends_no_greeting_ends_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        attempt = deliver(quick_upstream("127.0.0.1", silent.getsockname()[1]))

    assert attempt.failure is Failure.UNREACHABLE
    assert "no reply at the greeting within 0.5 s" in attempt.detail


def test_an_implicit_tls_port_without_a_handshake_ends_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        attempt = deliver(quick_upstream("127.0.0.1", silent.getsockname()[1], security="tls"))

    assert attempt.failure is Failure.UNREACHABLE


@pytest.mark.parametrize("first", ["2001:db8::1", "::1"])
def test_an_unreachable_address_does_not_matter_if_another_one_works(
    first: str, server: servers.Upstream, target: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv6 has no route or refuses the connection; IPv4 works."""
    resolve = socket.getaddrinfo

    def both(host: str, *more: Any, **hints: Any) -> list[Any]:
        return resolve(first, *more, **hints) + resolve("127.0.0.1", *more, **hints)

    monkeypatch.setattr(socket, "getaddrinfo", both)

    assert {reply.verdict for reply in deliver(target).replies.values()} == {Verdict.ACCEPTED}


# --- Hangs and disconnects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [*BEFORE_MAIL, *BEFORE_CONTENT])
def test_a_hang_ends_the_try_and_names_the_step(place: str, server: servers.Upstream, quick: Upstream) -> None:
    server.say(place, hang)

    attempt = deliver(quick)

    assert (attempt.failure, attempt.replies) == (Failure.UNREACHABLE, {})
    assert f"{'STARTTLS' if place == 'TLS' else place.replace('GREETING', 'greeting')}" in attempt.detail
    assert attempt.begun is (place in BEFORE_CONTENT)
    assert server.mails == []


@pytest.mark.parametrize("place", [*BEFORE_MAIL, *BEFORE_CONTENT])
def test_a_disconnect_before_the_content_is_a_failure_of_the_upstream(
    place: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, drop)

    attempt = deliver(target)

    expected = Failure.NO_TLS if place in {"STARTTLS", "TLS"} else Failure.UNREACHABLE
    assert (attempt.failure, attempt.replies) == (expected, {})
    assert attempt.begun is (place in BEFORE_CONTENT)


@pytest.mark.parametrize("action", [hang, drop])
@pytest.mark.parametrize(("place", "accepted"), [("DOT", 0), ("ACCEPTED", 1)])
def test_a_missing_reply_after_the_content_is_ambiguous(
    action: servers.Action, place: str, accepted: int, server: servers.Upstream, quick: Upstream
) -> None:
    server.say(place, action)

    attempt = deliver(quick)

    assert attempt.failure is None
    assert set(attempt.replies) == {ADMIN, OTHER}
    assert ambiguous(attempt)
    assert len(server.mails) == accepted


def test_a_recipient_refused_before_the_content_is_not_ambiguous(server: servers.Upstream, quick: Upstream) -> None:
    server.say(f"RCPT {OTHER}", "550 5.1.1 no such user")
    server.say("ACCEPTED", hang)

    attempt = deliver(quick)

    assert (attempt.replies[ADMIN].verdict, attempt.replies[ADMIN].code) == (Verdict.TEMPORARY, 0)
    assert attempt.replies[OTHER] == RecipientReply(
        verdict=Verdict.PERMANENT, code=550, text="5.1.1 no such user", step="RCPT"
    )


def test_a_hang_up_after_the_final_reply_changes_nothing(server: servers.Upstream, target: Upstream) -> None:
    async def accept_and_hang_up(session: servers.Session) -> None:
        await session.send(b"250 2.0.0 accepted\r\n")
        session.abort()

    server.say("ACCEPTED", accept_and_hang_up)

    assert {reply.verdict for reply in deliver(target).replies.values()} == {Verdict.ACCEPTED}


def test_a_server_that_reads_nothing_of_the_content_ends_in_time(server: servers.Upstream, quick: Upstream) -> None:
    """Its window is full: the try waits neither for the content nor for QUIT."""

    async def stop_reading(session: servers.Session) -> None:
        assert isinstance(session.transport, asyncio.Transport)
        session.transport.pause_reading()
        await session.send(b"354 go on\r\n")
        await hang(session)

    server.say("DATA", stop_reading)
    began = time.monotonic()

    attempt = quick.deliver(
        RAW + (b"x" * 70 + b"\r\n") * 300_000, sender=SENDER, recipients=[ADMIN], before_data=lambda: None
    )

    assert time.monotonic() - began < OVERALL + 3
    assert ambiguous(attempt)
    assert server.mails == []


def open_resources() -> list[str]:
    """Return open descriptors and running threads, including those of the server."""
    gc.collect()
    found = [thread.name for thread in threading.enumerate()]
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            found.append(str(number.readlink()))
    return found


def test_failed_tries_leave_nothing_open(server: servers.Upstream, target: Upstream) -> None:
    """No descriptor and no thread stays open, at whatever step the connection broke."""
    places = (*BEFORE_MAIL, *BEFORE_CONTENT, "DOT")

    def fail_everywhere() -> None:
        for place in places:
            server.say(place, drop, times=1)
            deliver(target)

    fail_everywhere()
    before = open_resources()
    fail_everywhere()

    deadline = time.monotonic() + 60
    while len(open_resources()) > len(before) and time.monotonic() < deadline:
        time.sleep(0.01)
    after = open_resources()
    assert len(after) <= len(before), (sorted(before), sorted(after))


@pytest.mark.parametrize("action", [hang, drop, "500 5.5.1 no", b"\xff\x00\r\n"])
def test_the_reply_to_quit_does_not_matter(action: servers.Action, server: servers.Upstream, target: Upstream) -> None:
    server.say("QUIT", action)

    assert {reply.verdict for reply in deliver(target).replies.values()} == {Verdict.ACCEPTED}


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "STARTTLS", "AUTH", *BEFORE_CONTENT])
def test_a_421_before_the_content_means_the_upstream_is_unwilling(
    place: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, "421 4.3.2 shutting down")

    attempt = deliver(target)

    assert (attempt.failure, attempt.replies) == (Failure.UNWILLING, {})
    assert attempt.detail.endswith("421 4.3.2 shutting down")


@pytest.mark.parametrize("reply", ["554 5.7.1 your address is on a list", "450 4.3.2 too busy"])
@pytest.mark.parametrize("place", ["GREETING", "EHLO"])
def test_a_refusal_before_any_message_means_the_upstream_is_unwilling(
    place: str, reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, reply)

    attempt = deliver(target)

    assert attempt.failure is Failure.UNWILLING
    assert attempt.detail.endswith(reply)


# --- Slow -------------------------------------------------------------------------------------------------------------


def test_a_reply_sent_byte_by_byte_has_one_timeout(server: servers.Upstream, quick: Upstream) -> None:
    server.say("GREETING", trickle(b"220 " + b"x" * 1000 + b"\r\n", 0.01))

    attempt = deliver(quick)

    assert attempt.failure is Failure.UNREACHABLE
    assert "no reply at the greeting" in attempt.detail


def test_replies_that_are_each_in_time_have_one_limit_together(
    server: servers.Upstream, quick: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "TIMEOUTS_BEFORE_CONTENT", 3)
    server.say("RCPT", trickle(b"250 fine\r\n", 0.01))

    attempt = deliver(quick, *(f"admin{number}@example.org" for number in range(50)))

    assert attempt.failure is Failure.UNREACHABLE
    assert "the whole try took longer than 1.5 s; it was at RCPT" in attempt.detail


def test_a_limit_that_passes_with_the_last_reply_ends_the_try_before_the_content(
    server: servers.Upstream, quick: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wait_for` of Python 3.11 then returns the reply and swallows the cancellation."""
    monkeypatch.setattr(upstream, "TIMEOUTS_BEFORE_CONTENT", 3)
    rcpt = Session._rcpt

    async def swallow_the_cancellation(session: Session, recipient: str, *, utf8: bool) -> None:
        await rcpt(session, recipient, utf8=utf8)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    monkeypatch.setattr(Session, "_rcpt", swallow_the_cancellation)
    begun: list[str] = []

    attempt = quick.deliver(RAW, sender=SENDER, recipients=[ADMIN], before_data=lambda: begun.append("DATA"))

    assert attempt.failure is Failure.UNREACHABLE
    assert "the whole try took longer than 1.5 s; it was at RCPT" in attempt.detail
    assert begun == []
    assert server.mails == []


def test_a_slow_but_complete_reply_is_accepted(server: servers.Upstream, target: Upstream) -> None:
    server.say("GREETING", trickle(b"220-mail.example.org\r\n220 at your service\r\n", 0.001))

    assert {reply.verdict for reply in deliver(target).replies.values()} == {Verdict.ACCEPTED}


def test_a_server_that_is_slow_at_each_step_gets_the_mail(
    server: servers.Upstream, settings: config.Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps together take longer than the limit of one step, and than the limit of the content."""
    monkeypatch.setattr(upstream, "TIMEOUTS_FOR_CONTENT", 1)
    slow = Upstream(settings.model_copy(update={"timeout": timedelta(seconds=1)}))

    async def wait_and_agree(session: servers.Session) -> None:
        await asyncio.sleep(0.3)
        await session.send(b"250 2.1.0 fine\r\n")

    server.say("MAIL", wait_and_agree)
    server.say("RCPT", wait_and_agree)
    recipients = [f"admin{number}@example.org" for number in range(4)]

    attempt = deliver(slow, *recipients)

    assert not attempt.failure, attempt
    assert set(attempt.replies) == set(recipients)


def test_the_reply_to_the_content_may_take_longer_than_one_step(server: servers.Upstream, quick: Upstream) -> None:
    """Content filters need time, and a client that gives up too early sends the mail twice (RFC 1047)."""
    server.say("ACCEPTED", trickle(b"250 2.0.0 accepted\r\n", TIMEOUT.total_seconds() / 12))

    assert {reply.verdict for reply in deliver(quick).replies.values()} == {Verdict.ACCEPTED}


# --- Garbage ----------------------------------------------------------------------------------------------------------

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
def test_an_invalid_reply_is_a_protocol_failure(
    place: str, garbage: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, garbage)

    attempt = deliver(target)

    assert (attempt.failure, attempt.replies) == (Failure.PROTOCOL, {})
    assert server.mails == []


@pytest.mark.parametrize("reply", ["354 go on", "150 well", "650 well", "-25 well"])
def test_an_unexpected_reply_to_the_content_is_reported_with_its_code(
    reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say("DOT", reply)

    attempt = deliver(target)

    assert ambiguous(attempt)
    assert {each.text for each in attempt.replies.values()} == {f"unexpected reply: {reply}"}


@pytest.mark.parametrize(("place", "reply"), [("MAIL", "354 go on"), ("RCPT", "334 more"), ("DATA", "250 taken")])
def test_a_reply_that_does_not_fit_its_command_is_a_protocol_failure(
    place: str, reply: str, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, reply)

    attempt = deliver(target)

    assert attempt.failure is Failure.PROTOCOL
    assert f"unexpected reply at {place}: {reply}" in attempt.detail


@pytest.mark.parametrize("injected", [b"250-x\r\n250 AUTH PLAIN\r\n", b"250 2.1.0 fine\r\n" * 9])
def test_unencrypted_input_after_starttls_is_discarded(
    injected: bytes, server: servers.Upstream, target: Upstream
) -> None:
    """An attacker on the network could inject replies (RFC 3207 section 4.2)."""

    async def go_ahead(session: servers.Session) -> None:
        await session.send(b"220 2.0.0 go ahead\r\n" + injected)
        session.skip_next_reply()
        await SMTP.smtp_STARTTLS(session, "")

    server.say("STARTTLS", go_ahead)

    attempt = deliver(target)

    assert {reply.verdict for reply in attempt.replies.values()} == {Verdict.ACCEPTED}, attempt
    assert [mail.tls for mail in server.mails] == [True]
    assert [line for line in server.commands if line.startswith("AUTH")] == ["AUTH CRAM-MD5"]


@pytest.mark.parametrize("instead", [b"220 go\r\n\x16\x03\x01", b"220 go\r\n220 go\r\n"])
def test_an_invalid_handshake_after_starttls_ends_the_try(
    instead: bytes, server: servers.Upstream, quick: Upstream
) -> None:
    server.say("STARTTLS", instead)

    assert deliver(quick).failure is not None
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


OFFERS = [
    b"250-x\r\n250-STARTTLS\r\n250-SIZE much\r\n250 AUTH CRAM-MD5\r\n",
    b"250-x\r\n250-STARTTLS\r\n250-SIZE\r\n250-SIZE -1\r\n250-AUTH=LOGIN\r\n250 AUTH\r\n",
    b"250-x\r\n250-STARTTLS\r\n250-SIZE " + b"9" * 5000 + b"\r\n250-\xff\xfe\x00 \x1b[2J\r\n250 \r\n",
    b"250-x\r\n" + b"250-STARTTLS\r\n" * 1500 + b"250 AUTH PLAIN\r\n",
]


@pytest.mark.parametrize("offer", OFFERS)
def test_malformed_ehlo_extensions_are_a_failure_of_the_upstream(
    offer: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say("EHLO", offer)

    attempt = deliver(target)

    assert attempt.failure is not None
    assert attempt.detail


def test_a_2xx_reply_before_the_content_does_not_count_as_accepted(server: servers.Upstream, target: Upstream) -> None:
    """The reply to the content must not be one that arrived before it."""
    server.say("DATA", b"354 go on\r\n250 2.0.0 accepted\r\n")

    attempt = deliver(target)

    assert attempt.failure is Failure.PROTOCOL
    assert "more than one reply at DATA" in attempt.detail


@pytest.mark.parametrize("garbage", [each for each in GARBAGE if not each.startswith(b"250 ")])
def test_garbage_after_the_content_is_ambiguous(garbage: bytes, server: servers.Upstream, target: Upstream) -> None:
    server.say("ACCEPTED", garbage)

    assert ambiguous(deliver(target))


@pytest.mark.parametrize("place", ["GREETING", "EHLO", "MAIL", "ACCEPTED"])
@pytest.mark.parametrize("chunk", [b"x" * 65536, b"250-more of it\r\n" * 4000, b"250 and again\r\n" * 4000])
def test_an_endless_reply_takes_neither_time_nor_memory(
    place: str, chunk: bytes, server: servers.Upstream, target: Upstream
) -> None:
    server.say(place, flood(chunk))

    tracemalloc.start()
    try:
        attempt = deliver(target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert attempt.failure is Failure.PROTOCOL or place == "ACCEPTED"
    assert peak < 8 * 2**20


# --- abort ------------------------------------------------------------------------------------------------------------


def stopped(target: Upstream, ready: Callable[[], bool]) -> Attempt | Interrupted:
    """Return the result of a try that another thread aborts as soon as `ready` is true."""
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
def test_abort_before_the_content_ends_the_try_at_once(place: str, server: servers.Upstream, target: Upstream) -> None:
    reached = threading.Event()

    async def hang_here(session: servers.Session) -> None:
        reached.set()
        await hang(session)

    server.say(place, hang_here)

    assert isinstance(stopped(target, reached.is_set), Interrupted)
    assert server.mails == []


def test_abort_after_the_content_waits_briefly_for_the_reply(server: servers.Upstream, target: Upstream) -> None:
    server.say("ACCEPTED", trickle(b"250 2.0.0 accepted\r\n", 0.02))

    attempt = stopped(target, lambda: bool(server.mails))

    assert isinstance(attempt, Attempt)
    assert {reply.verdict for reply in attempt.replies.values()} == {Verdict.ACCEPTED}


def test_abort_does_not_wait_for_the_reply_forever(
    monkeypatch: pytest.MonkeyPatch, server: servers.Upstream, target: Upstream
) -> None:
    monkeypatch.setattr(upstream, "ABORT_GRACE", 0.1)
    server.say("ACCEPTED", hang)

    attempt = stopped(target, lambda: bool(server.mails))

    assert isinstance(attempt, Attempt)
    assert ambiguous(attempt)


def test_no_connection_is_opened_after_abort(server: servers.Upstream, target: Upstream) -> None:
    target.abort()

    with pytest.raises(Interrupted):
        deliver(target)

    assert server.connections == 0
