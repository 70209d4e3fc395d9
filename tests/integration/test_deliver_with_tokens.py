"""The login at a real mail server with access tokens of a real authorisation server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import LoginPassword

from relay import config
from relay.deliver import TokenSource, Upstream
from relay.model import Attempt, Failure, Verdict
from relay.outbox.advice import advice_on_failure
from tests.support import upstream as servers
from tests.support.authorization_server import MAILBOX, SECRET, AuthorizationServer

RAW = b"From: relay@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: news\r\n\r\ntext\r\n"
ADMIN = "admin@example.org"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authorization(clock: Clock) -> Iterator[AuthorizationServer]:
    with AuthorizationServer(clock=clock) as server:
        yield server


@pytest.fixture
def mail_server(authority: trustme.CA, authorization: AuthorizationServer) -> Iterator[servers.Upstream]:
    certificate = authority.issue_cert("localhost")
    with servers.Upstream(security="starttls", certificate=certificate, tokens=authorization.accepts) as server:
        yield server


Make = Callable[..., Upstream]


@pytest.fixture
def make(
    mail_server: servers.Upstream,
    authority: trustme.CA,
    authorization: AuthorizationServer,
    clock: Clock,
    tmp_path: Path,
) -> Make:
    """Return a function that makes the relay's side; `oauth2` are settings that differ."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)

    def make(*, oauth2: dict[str, Any] | None = None, show: Any = None, **more: Any) -> Upstream:
        table = {
            "host": mail_server.host,
            "port": mail_server.port,
            "username": MAILBOX,
            "ca_file": ca_file,
            "timeout": "5s",
            "ehlo_name": "relay.example.com",
            "oauth2": authorization.tables() if oauth2 is None else oauth2,
            **more,
        }
        settings = config.Upstream.model_validate(table)
        return Upstream(settings, show=show, tokens=TokenSource(settings, tmp_path / "tokens", clock=clock))

    return make


def deliver(target: Upstream) -> Attempt:
    return target.deliver(RAW, sender=MAILBOX, recipients=[ADMIN], before_data=lambda: None)


def delivered(attempt: Attempt) -> bool:
    assert attempt.failure is None, attempt.detail
    return all(reply.verdict is Verdict.ACCEPTED for reply in attempt.replies.values())


def advice(attempt: Attempt) -> str:
    assert attempt.failure
    return advice_on_failure(attempt.failure, attempt.detail)


# --- The login --------------------------------------------------------------------------------------------------------


def test_a_message_is_delivered_with_a_token_instead_of_a_password(make, mail_server, authorization) -> None:
    assert delivered(deliver(make()))

    [mail] = mail_server.mails
    assert (mail.user, mail.tls) == (MAILBOX, True)
    assert authorization.granted == ["client_credentials"]


@pytest.mark.parametrize("mechanism", servers.TOKEN_MECHANISMS)
def test_each_mechanism_logs_in_alone(mechanism, make, authority, authorization, mail_server) -> None:
    certificate = authority.issue_cert("localhost")
    options = {"certificate": certificate, "tokens": authorization.accepts, "mechanisms": (mechanism,)}
    with servers.Upstream(security="starttls", **options) as other:
        assert delivered(deliver(make(port=other.port)))
        assert any(line.startswith(f"AUTH {mechanism} ") for line in other.commands)


def test_a_long_token_is_sent_after_the_servers_go_ahead(make, mail_server) -> None:
    """An AUTH command has at most 12,288 octets (RFC 4954 section 4)."""
    mail_server.tokens = lambda user, token: (user, token) == (MAILBOX, "t" * 9200)
    mail_server.say("AUTH", lambda session: _ask_for_token(session, mail_server))

    attempt = make(oauth2={"token_command": ["python3", "-c", "print('t' * 9200)"]})

    assert delivered(deliver(attempt))
    assert "AUTH XOAUTH2" in mail_server.commands


async def _ask_for_token(session: Any, server: servers.Upstream) -> None:
    await session.send(b"334 \r\n")
    session._reader._limit = 2**16  # aiosmtpd reads no line as long as this
    line = await session._reader.readuntil(b"\r\n")
    assert base64.b64decode(line).decode() == f"user={MAILBOX}\x01auth=Bearer {'t' * 9200}\x01\x01"
    session.session.authenticated = True
    session.session.auth_data = LoginPassword(MAILBOX.encode(), b"")
    await session.send(b"235 2.7.0 accepted\r\n")


def test_nothing_is_asked_for_where_the_server_offers_no_token_login(make, authority, authorization) -> None:
    certificate = authority.issue_cert("localhost")
    with servers.Upstream(security="starttls", certificate=certificate, users={MAILBOX: "x"}) as other:
        attempt = deliver(make(port=other.port))

    assert attempt.failure is Failure.AUTH
    assert "it offers CRAM-MD5 LOGIN PLAIN; OAuth2 needs XOAUTH2 or OAUTHBEARER" in attempt.detail
    assert authorization.requests == []


def test_no_token_is_sent_or_asked_for_without_tls(make, mail_server, authorization) -> None:
    mail_server.say("STARTTLS", "454 4.7.0 TLS is not available")

    attempt = deliver(make())

    assert attempt.failure is Failure.NO_TLS
    assert authorization.requests == []
    assert not [line for line in mail_server.commands if line.startswith("AUTH")]


# --- Tokens are stored and refreshed ----------------------------------------------------------------------------------


def test_one_token_serves_many_logins_also_of_another_process(make, authorization) -> None:
    first = make()
    for _ in range(3):
        assert delivered(deliver(first))
    assert delivered(deliver(make()))

    assert len(authorization.granted) == 1


def test_token_is_refreshed_before_it_expires(make, authorization, clock) -> None:
    target = make()
    deliver(target)
    clock.now += timedelta(seconds=3600 * 0.69)
    deliver(target)
    assert len(authorization.granted) == 1

    clock.now += timedelta(seconds=3600 * 0.22)  # 91 % of its lifetime

    assert delivered(deliver(target))
    assert len(authorization.granted) == 2


def test_valid_token_is_used_while_the_authorization_server_is_down(make, authorization, clock) -> None:
    target = make()
    deliver(target)
    authorization.stop_answering()
    clock.now += timedelta(seconds=3600 * 0.95)

    assert delivered(deliver(target))
    assert delivered(deliver(target))
    assert len(authorization.requests) == 2, "a failed refresh is not repeated with each message"

    clock.now += timedelta(minutes=2)
    assert delivered(deliver(target))
    assert len(authorization.requests) == 3


def test_revoked_token_is_replaced_at_once(make, authorization, clock) -> None:
    target = make()
    deliver(target)
    authorization.revoke_access_tokens()
    clock.now += timedelta(seconds=1)

    assert delivered(deliver(target))
    assert len(authorization.granted) == 2


def test_server_that_refuses_every_token_is_asked_twice_per_try(make, authorization, mail_server, clock) -> None:
    mail_server.tokens = lambda *_: False
    target = make()

    attempts = []
    for _ in range(2):
        attempts.append(deliver(target))
        clock.now += timedelta(hours=1)

    assert [each.failure for each in attempts] == [Failure.AUTH, Failure.AUTH]
    assert (
        "(XOAUTH2): 535 5.7.8 Authentication credentials invalid (status 401, scope https://mail.example/)"
        in attempts[0].detail
    )
    assert "SMTP.SendAsApp" in advice(attempts[0])
    assert len(authorization.granted) == 2


def test_no_new_token_is_asked_for_if_smtp_auth_is_switched_off(make, authorization, mail_server, clock) -> None:
    target = make()
    deliver(target)
    clock.now += timedelta(minutes=5)
    text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
    mail_server.say("AUTH", text)

    attempt = deliver(target)

    assert attempt.failure is Failure.AUTH
    assert "tick Authenticated SMTP" in advice(attempt)
    assert len(authorization.granted) == 1


def test_clock_that_was_set_back_does_not_keep_an_old_token_alive(make, authorization, clock) -> None:
    target = make()
    deliver(target)
    clock.now -= timedelta(days=1)

    assert delivered(deliver(target))
    assert len(authorization.granted) == 2


def test_stored_files_can_be_read_by_their_owner_alone(make, tmp_path) -> None:
    deliver(make())

    folder = tmp_path / "tokens"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert not [file for file in folder.iterdir() if SECRET in file.read_text()]


def test_refresh_token_that_is_replaced_at_each_use_is_stored(make, authorization, clock) -> None:
    authorization.rotate = True
    oauth2 = authorization.tables(grant="refresh_token", refresh_token=authorization.new_refresh_token())
    for _ in range(3):
        assert delivered(deliver(make(oauth2=oauth2)))
        clock.now += timedelta(hours=1)

    assert authorization.granted == ["refresh_token"] * 3


# --- Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "shown", "to_do"),
    [
        ({"error": "invalid_client", "error_description": "AADSTS7000215: wrong."}, 401, "401 invalid_client", "Value"),
        ("<html>oops</html>", 200, "without JSON, so it is no token endpoint", "token_endpoint"),
        ("<html>not here</html>", 404, "404 Not Found", "token_endpoint"),
        ("busy", 503, "503 Service Unavailable", "nothing to do unless"),
        ("slow down", 429, "429 Too Many Requests", "nothing to do unless"),
        ({"token_type": "Bearer"}, 200, "no access token", "token_endpoint"),
        ({"access_token": "x\r\ny", "token_type": "Bearer"}, 200, "not one that can be sent", ""),
        (b"[" * 100_000, 200, "too long", ""),
        (b"[" * 60_000, 200, "no token endpoint", "token_endpoint"),
        ({"access_token": "x", "expires_in": {"a": 1}}, 200, "no token endpoint", "token_endpoint"),
        ({"error": {"a": 1}, "error_description": ["b"]}, 400, "400 {'a': 1}", ""),
        (["access_token"], 200, "no token endpoint", "token_endpoint"),
        ({"access_token": "x", "expires_in": -5}, 200, "expired already", "clock"),
    ],
)
def test_failure_is_shown_with_what_to_do(body, status, shown, to_do, make, authorization) -> None:
    authorization.say(body, status=status)

    attempt = deliver(make())

    assert attempt.failure is Failure.TOKEN
    assert shown in attempt.detail
    assert to_do in advice(attempt)
    assert not attempt.begun
    assert len(attempt.detail) < 400


def test_clock_of_this_machine_that_is_wrong_is_named(make, authorization) -> None:
    authorization.say({"error": "invalid_client", "error_description": "the statement is not valid"}, status=401)
    authorization.clock_ahead = -timedelta(minutes=47)

    attempt = deliver(make())

    assert "this machine's clock is 47 min ahead of the server's" in attempt.detail
    assert "NTP" in advice(attempt)


def test_slow_authorization_server_is_given_up_after_the_timeout(make, authorization) -> None:
    from threading import Event

    go_on = Event()
    authorization.say(lambda: (go_on.wait(10), b"late")[1])

    attempt = deliver(make(timeout="1s"))
    go_on.set()

    assert attempt.failure is Failure.TOKEN
    assert "no access token from 127.0.0.1: no reply within 1 s" in attempt.detail
    assert "firewall" in advice(attempt)


def test_authorization_server_that_is_away_is_named(make) -> None:
    oauth2 = {
        "provider": "custom",
        "client_id": "x",
        "client_secret": "y",
        "token_endpoint": "http://127.0.0.1:9/token",
    }

    attempt = deliver(make(oauth2=oauth2))

    assert attempt.failure is Failure.TOKEN
    assert "no access token from 127.0.0.1: cannot connect: Connection refused" in attempt.detail


def test_compressed_reply_is_refused(make, authorization) -> None:
    """It could be a small reply that becomes gigabytes."""
    authorization.say(b"x", Content_Encoding="gzip")

    assert "the reply is compressed" in deliver(make()).detail


def test_no_secret_is_shown_that_the_servers_repeat(make, authorization, mail_server) -> None:
    lines: list[str] = []
    authorization.say({"error": "invalid_client", "error_description": f"wrong secret {SECRET} for x"}, status=401)
    target = make(show=lines.append)
    first = deliver(target)
    mail_server.say("MAIL", lambda session: _repeat_token(session, authorization))

    second = deliver(target)

    shown = "\n".join([first.detail, *map(str, second.replies.values()), *lines])
    assert "wrong secret *** for x" in first.detail
    assert "550 5.7.1 not with ***" in shown
    assert "C: AUTH XOAUTH2 ***" in lines
    assert [secret for secret in [SECRET, *authorization.issued] if secret in shown] == []


async def _repeat_token(session: Any, authorization: AuthorizationServer) -> None:
    await session.send(f"550 5.7.1 not with {authorization.issued[-1]}\r\n".encode())


# --- Tokens of other programs -----------------------------------------------------------------------------------------


def valid(server: servers.Upstream, token: str) -> None:
    server.tokens = lambda user, given: (user, given) == (MAILBOX, token)


@pytest.mark.parametrize(
    "printed",
    [
        "tok-123",
        '{"access_token": "tok-123", "expires_in": "3599"}',
        '{"accessToken": "tok-123", "expires_on": 99999999999}',
    ],
)
def test_command_and_file_give_the_token_bare_or_as_json(printed, make, mail_server, tmp_path) -> None:
    valid(mail_server, "tok-123")
    file = tmp_path / "token"
    file.write_text(f"{printed}\n")

    assert delivered(deliver(make(oauth2={"token_command": ["cat", str(file)]})))
    assert delivered(deliver(make(oauth2={"token_file": file})))


def test_file_is_read_at_each_login(make, mail_server, tmp_path) -> None:
    file = tmp_path / "token"
    target = make(oauth2={"token_file": file})
    for token in ("first", "second"):
        valid(mail_server, token)
        file.write_text(token)
        assert delivered(deliver(target))


def test_command_runs_once_for_the_lifetime_of_its_token(make, mail_server, tmp_path, clock) -> None:
    valid(mail_server, "tok")
    calls = tmp_path / "calls"
    printed = '{"access_token": "tok", "expires_in": 600}'
    command = ["sh", "-c", f"echo x >>{calls}; echo '{printed}'"]
    for _ in range(3):
        assert delivered(deliver(make(oauth2={"token_command": command})))
    assert calls.read_text().count("x") == 1

    clock.now += timedelta(minutes=10)
    deliver(make(oauth2={"token_command": command}))

    assert calls.read_text().count("x") == 2


@pytest.mark.parametrize(
    ("oauth2", "shown"),
    [
        ({"token_command": ["/no/such/program"]}, "token_command cannot be run: No such file or directory"),
        ({"token_command": ["sh", "-c", "echo s3cret; exit 3"]}, "token_command ended with exit code 3"),
        ({"token_command": ["sleep", "60"]}, "token_command printed no token within 1 s"),
        ({"token_command": ["true"]}, "token_command printed no token that can be used"),
        ({"token_command": ["echo", "two s3cret words"]}, "token_command printed no token that can be used"),
        ({"token_command": ["echo", '{"access_token": "s3cret"']}, "it is neither a bare token nor JSON"),
        ({"token_command": ["yes"]}, "token_command printed more than a token"),
        ({"token_file": "/no/such/file"}, "token_file cannot be read: No such file or directory"),
    ],
)
def test_program_that_gives_no_token_is_reported_without_what_it_printed(oauth2, shown, make) -> None:
    attempt = deliver(make(oauth2=oauth2, timeout="1s"))

    assert attempt.failure is Failure.TOKEN
    assert shown in attempt.detail
    assert "s3cret" not in attempt.detail
    assert next(iter(oauth2)).partition("_")[0] in advice(attempt) or "program" in advice(attempt)


def test_command_gets_no_setting_of_the_relay(make, mail_server, monkeypatch) -> None:
    monkeypatch.setenv("RELAY_UPSTREAM__PASSWORD", "leaked")
    valid(mail_server, "unset")

    assert delivered(deliver(make(oauth2={"token_command": ["sh", "-c", "echo ${RELAY_UPSTREAM__PASSWORD-unset}"]})))
