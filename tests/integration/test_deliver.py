"""Delivery to a real, correct mail server: every TLS mode, every AUTH mechanism, every kind of refusal."""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from relay import config
from relay.deliver import Upstream, replies
from relay.errors import LeaseLost
from relay.model import Attempt, Failure, Meaning, Verdict
from relay.outbox.advice import advice_on, advice_on_failure
from tests.support import upstream as servers

RAW = b"From: relay@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: news\r\n\r\n.first\r\n..second\r\nend\r\n"
SENDER = "relay@example.org"
ADMIN, OTHER, GONE = "admin@example.org", "other@example.org", "gone@example.org"
USER, PASSWORD = "relay@example.org", "corr3ct horse\\battery"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(autouse=True)
def machine_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let EHLO name the sender's domain on every machine."""
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")


EHLO = "EHLO example.org"


def settings(server: servers.Upstream, **more: object) -> config.Upstream:
    return config.Upstream.model_validate(
        {"host": server.host, "port": server.port, "security": "none", "timeout": "5s", **more}
    )


@contextmanager
def running(**options: Any) -> Iterator[servers.Upstream]:
    with servers.Upstream(**options) as server:
        yield server


@pytest.fixture
def plain() -> Iterator[servers.Upstream]:
    """A server without TLS and AUTH."""
    with servers.Upstream() as server:
        yield server


def deliver(target: Upstream, *recipients: str, raw: bytes = RAW, sender: str = SENDER) -> Attempt:
    return target.deliver(raw, sender=sender, recipients=recipients or (ADMIN,), before_data=lambda: None)


def verdicts(attempt: Attempt) -> dict[str, tuple[Verdict, int]]:
    return {recipient: (reply.verdict, reply.code) for recipient, reply in attempt.replies.items()}


# --- Delivered mails --------------------------------------------------------------------------------------------------


def test_a_message_arrives_byte_for_byte_at_every_recipient(plain: servers.Upstream) -> None:
    attempt = deliver(Upstream(settings(plain)), ADMIN, OTHER)

    assert verdicts(attempt) == {ADMIN: (Verdict.ACCEPTED, 250), OTHER: (Verdict.ACCEPTED, 250)}
    assert (attempt.failure, attempt.detail) == (None, "")
    [mail] = plain.mails
    assert (mail.sender, mail.recipients, mail.raw) == (SENDER, (ADMIN, OTHER), RAW)


def test_size_and_8bit_text_are_announced_if_the_server_offers_it(plain: servers.Upstream) -> None:
    raw = RAW + "Größe\r\n".encode()

    deliver(Upstream(settings(plain)), raw=raw)

    assert f"MAIL FROM:<{SENDER}> SIZE={len(raw)} BODY=8BITMIME" in plain.commands


def test_no_extension_is_used_that_the_server_does_not_offer() -> None:
    with servers.Upstream(without=("SIZE", "8BITMIME")) as server:
        deliver(Upstream(settings(server)), raw=RAW + "Größe\r\n".encode())

        assert f"MAIL FROM:<{SENDER}>" in server.commands
        assert len(server.mails) == 1


def test_a_server_that_knows_only_helo_gets_the_mail(plain: servers.Upstream) -> None:
    plain.say("EHLO", "502 5.5.1 what is EHLO")

    assert verdicts(deliver(Upstream(settings(plain)))) == {ADMIN: (Verdict.ACCEPTED, 250)}


def ehlo_names(server: servers.Upstream) -> list[str]:
    return [line.removeprefix("EHLO ") for line in server.commands if "EHLO" in line]


@pytest.mark.parametrize(
    "machine", ["container", "3f2a91bc77de", "localhost", "localhost.localdomain", "web.local", "[::1]"]
)
def test_ehlo_sends_the_senders_domain_if_the_machine_has_no_public_name(machine: str, plain: servers.Upstream) -> None:
    """Never an address literal: Google's relay refuses it, and a container's address says nothing."""
    deliver(Upstream(settings(plain), helo=machine))

    assert ehlo_names(plain) == [SENDER.rpartition("@")[2]]


def test_ehlo_sends_the_full_name_of_the_machine(plain: servers.Upstream) -> None:
    deliver(Upstream(settings(plain), helo="relay.example.org"))

    assert ehlo_names(plain) == ["relay.example.org"]


def test_ehlo_sends_the_name_that_the_resolver_knows(plain: servers.Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /etc/hosts: `127.0.1.1 web.example.org web`."""
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **hints: Any) -> list[Any]:
        found = real("localhost" if host == "web" else host, *args, **hints)
        return [(*found[0][:3], "web.example.org", found[0][4])] if host == "web" else found

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    deliver(Upstream(settings(plain), helo="web"))

    assert ehlo_names(plain) == ["web.example.org"]


def test_ehlo_sends_the_name_that_is_set(plain: servers.Upstream) -> None:
    deliver(Upstream(settings(plain, ehlo_name="mail.example.net"), helo="relay.example.org"))

    assert ehlo_names(plain) == ["mail.example.net"]


@pytest.mark.parametrize("name", ["192.0.2.1", "::1", "[192.0.2.1]", "a b", "x:25"])
def test_ehlo_name_must_be_a_host_name(name: str, plain: servers.Upstream) -> None:
    with pytest.raises(ValueError, match="ehlo_name"):
        settings(plain, ehlo_name=name)


def test_refused_name_in_ehlo_is_reported_as_such(plain: servers.Upstream) -> None:
    plain.say("EHLO", "421 4.7.0 Try again later, closing connection. (EHLO) x - gsmtp")

    attempt = deliver(Upstream(settings(plain)))

    assert attempt.failure is Failure.UNWILLING
    assert "upstream.ehlo_name" in advice_on_failure(attempt.failure, attempt.detail)


GMAIL_LIMIT = (
    b"550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
    b"550-5.4.5 sending limits go to\r\n550 5.4.5  https://support.google.com/a/answer/166852 x - gsmtp\r\n"
)


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("reply", [GMAIL_LIMIT, b"552 x Message would take you over your relay quota of 500\r\n"])
def test_a_limit_is_temporary_whatever_its_code(place: str, reply: bytes, plain: servers.Upstream) -> None:
    plain.say(place, reply)

    [found] = deliver(Upstream(settings(plain))).replies.values()

    assert (found.verdict, found.cause.meaning) == (Verdict.TEMPORARY, Meaning.WAIT_LONG)
    assert found.text.count("5.4.5") <= 1
    assert "[budget]" in advice_on(found)


def test_transcript_shows_the_dialogue_without_credentials_and_content(authority: trustme.CA, ca_file: Path) -> None:
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        with running(
            security="starttls",
            certificate=authority.issue_cert("localhost"),
            users={USER: PASSWORD},
            mechanisms=(mechanism,),
        ) as server:
            server.say("ACCEPTED", f"250 2.0.0 fine, {PASSWORD}")
            lines: list[str] = []
            made = settings(server, security="starttls", ca_file=ca_file, username=USER, password=PASSWORD)
            deliver(Upstream(made, show=lines.append))

        shown = "\n".join(lines)
        encoded = [base64.b64encode(text.encode()).decode() for text in (PASSWORD, USER, f"\0{USER}\0{PASSWORD}")]
        assert not any(secret in shown for secret in (PASSWORD, *encoded, "Subject"))
        assert [line.split(" ")[1] for line in lines if line.startswith("C: ")][:4] == [
            "EHLO",
            "STARTTLS",
            "EHLO",
            "AUTH",
        ]
        assert f"C: AUTH {mechanism}" in shown
        assert "C: ***" in shown or f"C: AUTH {mechanism} ***" in shown
        assert any(line.startswith("C: MAIL FROM:") for line in lines)
        assert "bytes of content" in shown
        assert "S: 220 " in shown
        assert "S: 221 " in shown


def test_smtputf8_is_used_only_for_an_address_that_needs_it(plain: servers.Upstream) -> None:
    deliver(Upstream(settings(plain)), ADMIN, "jörg@example.org")
    deliver(Upstream(settings(plain)), "admin@bücher.example")

    mails = [line for line in plain.commands if line.startswith("MAIL")]
    assert [line.endswith(" SMTPUTF8") for line in mails] == [True, False]
    assert [mail.recipients for mail in plain.mails] == [
        (ADMIN, "jörg@example.org"),
        ("admin@xn--bcher-kva.example",),
    ]


def test_without_smtputf8_only_the_address_that_needs_it_is_refused() -> None:
    with servers.Upstream(smtputf8=False) as server:
        attempt = deliver(Upstream(settings(server)), ADMIN, "jörg@example.org")

        assert verdicts(attempt) == {ADMIN: (Verdict.ACCEPTED, 250), "jörg@example.org": (Verdict.PERMANENT, 0)}
        assert "SMTPUTF8" in attempt.replies["jörg@example.org"].text
        assert [mail.recipients for mail in server.mails] == [(ADMIN,)]


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_is_sent_over_tls_after_the_certificate_check(
    security: str, authority: trustme.CA, ca_file: Path
) -> None:
    with running(security=security, certificate=authority.issue_cert("localhost")) as server:
        attempt = deliver(Upstream(settings(server, security=security, ca_file=ca_file)))

        assert verdicts(attempt) == {ADMIN: (Verdict.ACCEPTED, 250)}
        assert [mail.tls for mail in server.mails] == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("unknown authority", "unable to get local issuer certificate"),
        ("wrong host", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("not the system's", "unable to get local issuer certificate"),
    ],
)
def test_an_invalid_certificate_ends_the_try(
    security: str, fault: str, text: str, authority: trustme.CA, ca_file: Path
) -> None:
    issuer = trustme.CA() if fault == "unknown authority" else authority
    expiry = datetime.now(UTC) - timedelta(days=1) if fault == "expired" else None
    certificate = issuer.issue_cert("elsewhere.test" if fault == "wrong host" else "localhost", not_after=expiry)
    trusted = None if fault == "not the system's" else ca_file

    with running(security=security, certificate=certificate, users={USER: PASSWORD}) as server:
        target = Upstream(settings(server, security=security, ca_file=trusted, username=USER, password=PASSWORD))
        attempt = deliver(target)

        assert (attempt.failure, attempt.replies) == (Failure.CERTIFICATE, {})
        assert attempt.detail.startswith(f"localhost:{server.port}: its certificate was not accepted: ")
        assert text in attempt.detail
        assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


def test_a_server_without_required_starttls_gets_nothing(plain: servers.Upstream, ca_file: Path) -> None:
    attempt = deliver(Upstream(settings(plain, security="starttls", ca_file=ca_file)))

    assert attempt.failure is Failure.NO_TLS
    assert "does not offer STARTTLS" in attempt.detail
    assert plain.commands == [EHLO]


@pytest.mark.parametrize(
    ("place", "action"),
    [
        ("STARTTLS", "454 4.7.0 TLS not available"),
        ("STARTTLS", servers.drop),
        ("TLS", servers.drop),
        ("TLS", b"this is no handshake\r\n"),
    ],
)
def test_a_failed_tls_handshake_ends_the_try_before_anything_is_sent(
    place: str, action: servers.Action, authority: trustme.CA, ca_file: Path
) -> None:
    with running(security="starttls", certificate=authority.issue_cert("localhost")) as server:
        server.say(place, action)
        attempt = deliver(Upstream(settings(server, security="starttls", ca_file=ca_file)))

        assert attempt.failure is Failure.NO_TLS
        assert "nothing was sent" in attempt.detail
        assert server.commands == [EHLO, "STARTTLS"]


def test_a_server_without_tls_on_a_tls_port_is_not_reported_as_unreachable(plain: servers.Upstream) -> None:
    attempt = deliver(Upstream(settings(plain, security="tls")))

    assert attempt.failure is Failure.NO_TLS
    assert "the TLS handshake failed" in attempt.detail


def test_a_missing_ca_file_is_named(plain: servers.Upstream, ca_file: Path) -> None:
    target = Upstream(settings(plain, security="starttls", ca_file=ca_file))
    ca_file.unlink()

    attempt = deliver(target)

    assert attempt.failure is Failure.CERTIFICATE
    assert attempt.detail.endswith("ca_file cannot be used: No such file or directory")


# --- AUTH -------------------------------------------------------------------------------------------------------------


def secret_settings(server: servers.Upstream, ca_file: Path, password: str = PASSWORD) -> config.Upstream:
    return settings(server, security="starttls", ca_file=ca_file, username=USER, password=password)


@pytest.fixture
def guarded(authority: trustme.CA) -> Iterator[servers.Upstream]:
    """A server with STARTTLS that requires AUTH."""
    with running(security="starttls", certificate=authority.issue_cert("localhost"), users={USER: PASSWORD}) as server:
        yield server


@pytest.mark.parametrize("mechanism", servers.MECHANISMS)
def test_each_mechanism_authenticates(mechanism: str, authority: trustme.CA, ca_file: Path) -> None:
    with running(
        security="starttls",
        certificate=authority.issue_cert("localhost"),
        users={USER: PASSWORD},
        mechanisms=[mechanism],
    ) as server:
        attempt = deliver(Upstream(secret_settings(server, ca_file)))

        assert verdicts(attempt) == {ADMIN: (Verdict.ACCEPTED, 250)}
        assert [(mail.user, mail.tls) for mail in server.mails] == [(USER, True)]
        assert any(line.startswith(f"AUTH {mechanism}") for line in server.commands)


def test_the_password_is_not_sent_if_cram_md5_is_offered(guarded: servers.Upstream, ca_file: Path) -> None:
    deliver(Upstream(secret_settings(guarded, ca_file)))

    assert [line for line in guarded.commands if line.startswith("AUTH")] == ["AUTH CRAM-MD5"]


def test_an_offered_mechanism_that_fails_is_skipped(guarded: servers.Upstream, ca_file: Path) -> None:
    guarded.say("AUTH", "535 5.7.8 no CRAM-MD5 for this user", times=1)

    assert verdicts(deliver(Upstream(secret_settings(guarded, ca_file)))) == {ADMIN: (Verdict.ACCEPTED, 250)}


def test_a_wrong_password_is_an_auth_failure(guarded: servers.Upstream, ca_file: Path) -> None:
    attempt = deliver(Upstream(secret_settings(guarded, ca_file, password="wr0ng-password")))

    assert (attempt.failure, attempt.replies) == (Failure.AUTH, {})
    assert "refused the credentials" in attempt.detail
    assert "535 5.7.8" in attempt.detail
    assert guarded.mails == []


def test_a_refusal_followed_by_a_hang_up_is_still_an_auth_failure(guarded: servers.Upstream, ca_file: Path) -> None:
    async def refuse_and_go(session: servers.Session) -> None:
        await session.send(b"535 5.7.8 go away\r\n")
        session.abort()

    guarded.say("AUTH", refuse_and_go)

    attempt = deliver(Upstream(secret_settings(guarded, ca_file)))

    assert attempt.failure is Failure.AUTH
    assert "535 5.7.8 go away" in attempt.detail


@pytest.mark.parametrize("reply", ["454 4.7.0 Temporary authentication failure", "421 4.7.0 too many logins"])
def test_a_temporary_error_at_auth_is_not_an_auth_failure(reply: str, guarded: servers.Upstream, ca_file: Path) -> None:
    guarded.say("AUTH", reply)

    attempt = deliver(Upstream(secret_settings(guarded, ca_file)))

    assert attempt.failure is Failure.UNWILLING
    assert reply in attempt.detail


def test_a_server_without_auth_is_reported(authority: trustme.CA, ca_file: Path) -> None:
    with running(security="starttls", certificate=authority.issue_cert("localhost")) as server:
        attempt = deliver(Upstream(secret_settings(server, ca_file)))

        assert attempt.failure is Failure.AUTH
        assert "offers no AUTH" in attempt.detail


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA"])
def test_a_reply_about_credentials_is_not_about_the_message(place: str, plain: servers.Upstream) -> None:
    plain.say(place, "530 5.7.0 Authentication required")

    attempt = deliver(Upstream(settings(plain)))

    assert (attempt.failure, attempt.replies) == (Failure.AUTH, {})
    assert f"at {place}: 530 5.7.0 Authentication required" in attempt.detail


def test_no_password_is_sent_unencrypted() -> None:
    with running(users={USER: PASSWORD}) as server:
        checked = settings(server, username=USER, password=PASSWORD, auth_in_clear=True)
        unchecked = checked.model_copy(update={"auth_in_clear": False})  # the configuration itself would refuse it

        attempt = deliver(Upstream(unchecked))

        assert attempt.failure is Failure.AUTH
        assert "auth_in_clear" in attempt.detail
        assert server.connections == 0


def test_a_password_is_sent_unencrypted_only_if_auth_in_clear_is_set() -> None:
    with running(users={USER: PASSWORD}, mechanisms=["PLAIN"]) as server:
        attempt = deliver(Upstream(settings(server, username=USER, password=PASSWORD, auth_in_clear=True)))

        assert verdicts(attempt) == {ADMIN: (Verdict.ACCEPTED, 250)}
        assert [mail.user for mail in server.mails] == [USER]


@pytest.mark.parametrize("place", ["AUTH", "MAIL", "RCPT", "DOT"])
def test_a_password_that_the_server_repeats_is_masked(place: str, authority: trustme.CA, ca_file: Path) -> None:
    plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    encodings = [PASSWORD, plain, base64.b64encode(PASSWORD.encode()).decode()]
    with running(security="starttls", certificate=authority.issue_cert("localhost"), users={USER: PASSWORD}) as server:
        server.say(place, "550 5.7.8 got " + " and ".join(encodings))
        attempt = deliver(Upstream(secret_settings(server, ca_file)))

        texts = attempt.detail + " ".join(reply.text for reply in attempt.replies.values())
        assert "5.7.8 got *** and *** and ***" in texts
        assert not any(encoding in texts for encoding in encodings)


# --- Replies about the message ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("450 4.7.1 slow down", Verdict.TEMPORARY),
        ("451 4.7.1 greylisted, come back later", Verdict.TEMPORARY),
        ("452 4.3.1 no room", Verdict.TEMPORARY),
        ("550 5.7.1 refused", Verdict.PERMANENT),
        ("552 5.3.4 too big", Verdict.PERMANENT),
        ("554 5.7.1 spam", Verdict.PERMANENT),
    ],
)
def test_a_refusal_of_the_message_is_the_reply_for_every_recipient(
    place: str, reply: str, verdict: Verdict, plain: servers.Upstream
) -> None:
    plain.say(place, reply)

    attempt = deliver(Upstream(settings(plain)), ADMIN, OTHER)

    code, _, text = reply.partition(" ")
    assert attempt.failure is None
    assert verdicts(attempt) == {ADMIN: (verdict, int(code)), OTHER: (verdict, int(code))}
    assert {reply.text for reply in attempt.replies.values()} == {text}
    assert plain.mails == []


def test_a_message_above_the_servers_size_limit_is_a_permanent_refusal() -> None:
    with running(max_size=1000) as server:
        attempt = deliver(Upstream(settings(server)), raw=RAW + b"x" * 70 + b"\r\n" * 1000)

        assert verdicts(attempt) == {ADMIN: (Verdict.PERMANENT, 552)}


def test_other_recipients_get_the_mail_if_some_are_refused(plain: servers.Upstream) -> None:
    plain.say(f"RCPT {GONE}", "550 5.1.1 no such user")
    plain.say(f"RCPT {OTHER}", "450 4.2.1 mailbox busy")

    attempt = deliver(Upstream(settings(plain)), GONE, ADMIN, OTHER)

    assert verdicts(attempt) == {
        GONE: (Verdict.PERMANENT, 550),
        ADMIN: (Verdict.ACCEPTED, 250),
        OTHER: (Verdict.TEMPORARY, 450),
    }
    assert [mail.recipients for mail in plain.mails] == [(ADMIN,)]


async def refuse_and_go(session: servers.Session) -> None:
    await session.send(b"550 5.1.1 no such user\r\n")
    session.abort()


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (servers.drop, "the connection broke at RCPT"),
        ("421 4.3.0 cannot look that up", "it refused at RCPT: 421 4.3.0 cannot look that up"),
        ("530 5.7.1 log in to send there", "at RCPT: 530 5.7.1 log in to send there"),
        (b"what?\r\n", "invalid SMTP reply at RCPT"),
    ],
)
@pytest.mark.parametrize("order", [(GONE, ADMIN, OTHER), (ADMIN, GONE, OTHER), (ADMIN, OTHER, GONE)])
def test_a_recipient_at_which_two_sessions_fail_does_not_delay_the_others(
    action: servers.Action, text: str, order: tuple[str, ...], plain: servers.Upstream
) -> None:
    """One failure may come from the network or the server: after it all recipients are tried again together."""
    plain.say(f"RCPT {GONE}", action)
    upstream = Upstream(settings(plain))
    asks_for_credentials = "530" in text

    first = attempt = deliver(upstream, *order)
    if not asks_for_credentials:
        assert (first.failure is not None, plain.mails) == (True, [])
        attempt = deliver(upstream, *order)

    assert attempt.failure is None
    assert verdicts(attempt) == {
        GONE: (Verdict.TEMPORARY, 0),
        ADMIN: (Verdict.ACCEPTED, 250),
        OTHER: (Verdict.ACCEPTED, 250),
    }
    assert text in attempt.replies[GONE].text
    assert [mail.recipients for mail in plain.mails] == [(ADMIN, OTHER)]


def test_a_recipient_at_which_one_session_failed_is_tried_with_the_others(plain: servers.Upstream) -> None:
    plain.say(f"RCPT {GONE}", servers.drop, times=1)
    upstream = Upstream(settings(plain))

    assert deliver(upstream, GONE, ADMIN).failure is Failure.UNREACHABLE
    assert verdicts(deliver(upstream, GONE, ADMIN)) == {GONE: (Verdict.ACCEPTED, 250), ADMIN: (Verdict.ACCEPTED, 250)}
    assert [mail.recipients for mail in plain.mails] == [(GONE, ADMIN)]


def test_an_accepted_recipient_is_no_longer_suspect(plain: servers.Upstream) -> None:
    upstream = Upstream(settings(plain))
    for _ in range(3):
        plain.say(f"RCPT {GONE}", servers.drop, times=1)
        assert deliver(upstream, GONE, ADMIN).failure is Failure.UNREACHABLE
        assert deliver(upstream, GONE, ADMIN).failure is None

    assert [mail.recipients for mail in plain.mails] == [(GONE, ADMIN)] * 3


def test_two_failing_recipients_do_not_keep_the_mail_from_a_third(plain: servers.Upstream) -> None:
    plain.say(f"RCPT {GONE}", servers.drop)
    plain.say(f"RCPT {OTHER}", servers.drop)

    upstream = Upstream(settings(plain))

    attempts = [deliver(upstream, ADMIN, OTHER, GONE) for _ in range(3)]

    assert [attempt.failure for attempt in attempts] == [Failure.UNREACHABLE, Failure.UNREACHABLE, None]
    accepted = {who for who, reply in attempts[-1].replies.items() if reply.verdict is Verdict.ACCEPTED}
    assert accepted == {ADMIN}
    assert plain.connections == 1 + 2 + 3


@pytest.mark.parametrize("order", [(GONE, ADMIN), (ADMIN, GONE)])
def test_a_hang_up_after_a_refusal_does_not_keep_the_mail_from_others(
    order: tuple[str, ...], plain: servers.Upstream
) -> None:
    plain.say(f"RCPT {GONE}", refuse_and_go)

    attempt = deliver(Upstream(settings(plain)), *order)

    assert verdicts(attempt) == {GONE: (Verdict.PERMANENT, 550), ADMIN: (Verdict.ACCEPTED, 250)}


def test_hang_ups_after_several_refusals_do_not_keep_the_mail_from_the_last_recipient(plain: servers.Upstream) -> None:
    plain.say(f"RCPT {GONE}", refuse_and_go)
    plain.say(f"RCPT {OTHER}", refuse_and_go)

    attempt = deliver(Upstream(settings(plain)), GONE, OTHER, ADMIN)

    assert verdicts(attempt) == {
        GONE: (Verdict.PERMANENT, 550),
        OTHER: (Verdict.PERMANENT, 550),
        ADMIN: (Verdict.ACCEPTED, 250),
    }


def test_a_failure_with_a_single_recipient_names_it(plain: servers.Upstream) -> None:
    """Perhaps the server cannot look up this one address."""
    plain.say(f"RCPT {GONE}", "421 4.3.0 cannot look that up")

    attempt = deliver(Upstream(settings(plain)), GONE)

    assert attempt.detail.endswith(f"it refused at RCPT: 421 4.3.0 cannot look that up, for {GONE}")


def test_a_server_that_fails_at_every_recipient_is_not_tried_for_each_of_them(plain: servers.Upstream) -> None:
    plain.say("RCPT", "421 4.3.2 shutting down")

    upstream, everybody = Upstream(settings(plain)), [f"admin{number}@example.org" for number in range(20)]

    for connections in (1, 3, 5, 7):
        attempt = deliver(upstream, *everybody)

        assert (attempt.failure, attempt.begun, attempt.replies) == (Failure.UNWILLING, True, {})
        assert plain.connections == connections


def test_accepted_recipients_do_not_get_the_mail_if_the_content_is_refused(plain: servers.Upstream) -> None:
    plain.say(f"RCPT {GONE}", "550 5.1.1 no such user")
    plain.say("DOT", "451 4.3.0 try again")

    attempt = deliver(Upstream(settings(plain)), GONE, ADMIN)

    assert verdicts(attempt) == {GONE: (Verdict.PERMANENT, 550), ADMIN: (Verdict.TEMPORARY, 451)}


def test_any_2xx_reply_after_the_content_means_accepted(plain: servers.Upstream) -> None:
    plain.say("ACCEPTED", "252 2.5.2 will do my best")

    assert verdicts(deliver(Upstream(settings(plain)))) == {ADMIN: (Verdict.ACCEPTED, 252)}


def test_a_421_after_the_content_is_a_temporary_refusal_of_the_message(plain: servers.Upstream) -> None:
    plain.say("DOT", "421 4.3.2 shutting down")

    assert verdicts(deliver(Upstream(settings(plain)))) == {ADMIN: (Verdict.TEMPORARY, 421)}


# --- before_data ------------------------------------------------------------------------------------------------------


def test_before_data_is_called_after_a_recipient_is_accepted_and_before_the_content(plain: servers.Upstream) -> None:
    seen: list[list[str]] = []

    Upstream(settings(plain)).deliver(
        RAW, sender=SENDER, recipients=[ADMIN], before_data=lambda: seen.append(list(plain.commands))
    )

    [before] = seen
    assert before[-1].startswith("RCPT")


@pytest.mark.parametrize("place", ["MAIL", "RCPT"])
def test_before_data_is_not_called_if_no_recipient_is_accepted(place: str, plain: servers.Upstream) -> None:
    plain.say(place, "550 5.7.1 no")
    calls: list[None] = []

    Upstream(settings(plain)).deliver(RAW, sender=SENDER, recipients=[ADMIN], before_data=lambda: calls.append(None))

    assert calls == []


def test_a_lost_claim_stops_the_try_before_data(plain: servers.Upstream) -> None:
    def lost() -> None:
        raise LeaseLost("another worker has it")

    with pytest.raises(LeaseLost):
        Upstream(settings(plain)).deliver(RAW, sender=SENDER, recipients=[ADMIN], before_data=lost)

    assert "DATA" not in plain.commands
    assert plain.mails == []


def test_an_error_of_the_relay_that_looks_like_a_connection_error_is_raised(plain: servers.Upstream) -> None:
    """A timeout or a broken connection of the ledger is not a failure of the upstream."""
    for error in (TimeoutError("ledger"), ConnectionResetError("ledger"), ssl.SSLError("ledger")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error), match="ledger"):
            Upstream(settings(plain)).deliver(RAW, sender=SENDER, recipients=[ADMIN], before_data=fail)

    assert plain.mails == []


# --- Reply texts ------------------------------------------------------------------------------------------------------


def test_reply_text_is_one_short_printable_line() -> None:
    scrub = replies.Scrub("user", "")

    shown = scrub("5.7.1 a\r\nforged line\x1b[31m\u202e" + "x" * 1000)

    assert shown.startswith("5.7.1 a forged line [31m xxx")
    assert len(shown) == replies.MAX_TEXT
    assert shown.isprintable()


@pytest.mark.parametrize("encoding", [PASSWORD, base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()])
@pytest.mark.parametrize(
    "broken",
    [
        lambda text: text[:-9] + "...",
        lambda text: text[5:].swapcase(),
        lambda text: "\n".join(text[at : at + 10] for at in range(0, len(text), 10)),
        lambda text: f"b'{text[1:-1]}'",
    ],
    ids=["truncated", "end in another case", "wrapped", "quoted"],
)
def test_parts_of_the_password_are_masked(encoding: str, broken: Callable[[str], str]) -> None:
    """Servers truncate what they repeat, wrap it over lines, or quote it."""
    shown = replies.Scrub(USER, PASSWORD)(f"5.5.4 syntax error near {broken(encoding)}")

    assert shown.startswith("5.5.4 syntax error near ")
    pieces = [encoding[at : at + replies.PIECE].lower() for at in range(len(encoding) - replies.PIECE + 1)]
    assert not any(piece in shown.lower() for piece in pieces)


def test_text_without_a_part_of_the_password_stays() -> None:
    text = "5.7.8 İncorrect user name or password"

    assert replies.Scrub(USER, PASSWORD)(text) == text
