"""Every failure of an upstream, from the outbox to what an administrator reads: reported, bounded, nothing lost.

`test_deliver_hostile` tests the result of one try. Here a real outbox with a real ledger delivers to a real, faulty
server, which is replaced by a correct one afterwards.
"""

import base64
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner
from structlog.testing import capture_logs

from relay import config
from relay.cli import main
from relay.deliver import open_target
from relay.deliver import upstream as upstream_module
from relay.ledger import Ledger, sqlite_url
from relay.model import Failure, UpstreamKey
from relay.outbox import step as outbox_module
from relay.outbox.advice import advice_on_failure
from relay.outbox.step import Outbox
from relay.service.worker_name import upstream_key
from relay.web import Vitals, create_app
from tests.support import upstream as servers
from tests.support.ledger_world import ADA, BOB, MINUTE, NOON, SECOND, enqueue_digest, figures
from tests.support.upstream import Action, drop, flood, hang, trickle

USER, PASSWORD = "relay", "corr3ct horse"
ENCODINGS = (PASSWORD, *(base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}")))
SHORT_TIMEOUT = timedelta(seconds=1)
"""For servers that hang: below the configurable minimum."""
XOAUTH2 = b"250-upstream.test\r\n250-STARTTLS\r\n250 AUTH XOAUTH2\r\n"
NASTY = "\x1b[2J\x1b]0;x\x07<script>alert(1)</script>\u202e\x00\x85 level=critical event='all is well' {{ 7 * 7 }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the server does, and what the administrator reads about it."""

    actions: dict[str, Action] = field(default_factory=dict)
    """The server's actions by place (see `tests.support.upstream`)."""
    options: dict[str, Any] = field(default_factory=dict)
    certificate: str = "good"
    away: bool = False
    failure: Failure
    text: str
    connections: int = 1
    """The number of tries (for two messages) before the first pause is over."""

    @property
    def hangs(self) -> bool:
        return hang in self.actions.values() or self.text == "no reply at the greeting"


def at(place: str, action: Action, failure: Failure, text: str, connections: int = 1) -> Fault:
    return Fault(actions={place: action}, failure=failure, text=text, connections=connections)


def certificate(kind: str, text: str) -> Fault:
    return Fault(certificate=kind, failure=Failure.CERTIFICATE, text=text)


async def offer_auth_before_starttls_only(session: servers.Session) -> None:
    more = "HELP" if session.tls else "STARTTLS\r\n250-AUTH PLAIN LOGIN"
    await session.send(f"250-upstream.test\r\n250-{more}\r\n250 OK\r\n".encode())


STEPS = ("GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")
FAULTS = {
    "refuses connections": Fault(away=True, failure=Failure.UNREACHABLE, text="cannot connect: Connection refused"),
    **{f"hangs at {step}": at(step, hang, Failure.UNREACHABLE, "no reply at ") for step in STEPS},
    "hangs in the TLS handshake": at("TLS", hang, Failure.UNREACHABLE, "no reply at STARTTLS"),
    "hangs after the final dot": at("DOT", hang, Failure.UNREACHABLE, "no reply in time (at the end of DATA)"),
    "accepts the mail and hangs": at("ACCEPTED", hang, Failure.UNREACHABLE, "no reply in time (at the end of DATA)"),
    **{
        f"hangs up at {step}": at(step, drop, Failure.UNREACHABLE, f"the connection broke at {step}")
        for step in ("EHLO", "MAIL", "RCPT", "DATA")
    },
    "hangs up instead of a greeting": at("GREETING", drop, Failure.UNREACHABLE, "broke at the greeting"),
    "hangs up at AUTH": at("AUTH", drop, Failure.UNREACHABLE, "the connection broke at AUTH CRAM-MD5"),
    "hangs up in the TLS handshake": at("TLS", drop, Failure.NO_TLS, "the TLS handshake failed"),
    "hangs up after the final dot": at("DOT", drop, Failure.UNREACHABLE, "broke before the reply (at the end of DATA)"),
    "accepts the mail and hangs up": at(
        "ACCEPTED", drop, Failure.UNREACHABLE, "broke before the reply (at the end of DATA)"
    ),
    **{
        f"421 at {step}": at(step, "421 4.3.2 shutting down", Failure.UNWILLING, "421 4.3.2 shutting down")
        for step in STEPS
    },
    "421 after the final dot": at(
        "DOT", "421 4.3.2 x", Failure.REFUSED, "421 4.3.2 x (at the end of DATA)", connections=2
    ),
    "greylisting": at("RCPT", "451 4.7.1 greylisted", Failure.REFUSED, "451 4.7.1 greylisted (at RCPT)", connections=2),
    "a limit on mails": at(
        "MAIL", "450 4.7.1 slow down", Failure.REFUSED, "450 4.7.1 slow down (at MAIL)", connections=2
    ),
    "452 at DATA": at("DATA", "452 4.3.1 no room", Failure.REFUSED, "452 4.3.1 no room (at DATA)", connections=2),
    "451 after the dot": at("DOT", "451 4.3.0 x", Failure.REFUSED, "451 4.3.0 x (at the end of DATA)", connections=2),
    "554 as a greeting": at("GREETING", "554 5.7.1 listed", Failure.UNWILLING, "at the greeting: 554 5.7.1 listed"),
    "550 at EHLO": at("EHLO", "550 5.7.1 not you", Failure.UNWILLING, "it refused at EHLO: 550 5.7.1 not you"),
    **{
        f"550 at {step}": at(step, "550 5.7.1 no", Failure.REFUSED, f"550 5.7.1 no (at {step})", connections=2)
        for step in ("MAIL", "RCPT", "DATA")
    },
    "554 after the dot": at(
        "DOT", "554 5.7.1 spam", Failure.REFUSED, "554 5.7.1 spam (at the end of DATA)", connections=2
    ),
    "535 at AUTH": at("AUTH", "535 5.7.8 wrong", Failure.AUTH, "it refused the credentials (LOGIN): 535 5.7.8 wrong"),
    "454 at AUTH": at("AUTH", "454 4.7.0 x", Failure.UNWILLING, "it refused at AUTH LOGIN: 454 4.7.0 x"),
    "endless AUTH challenges": at("AUTH", "334 bW9yZQ==", Failure.AUTH, "it refused the credentials"),
    "AUTH with an invalid challenge": at("AUTH", "334 !!!x", Failure.AUTH, "it refused the credentials"),
    "530 at MAIL": at("MAIL", "530 5.7.0 who?", Failure.AUTH, "at MAIL: 530 5.7.0 who?"),
    "an expired certificate": certificate("expired", "certificate has expired"),
    "another host's certificate": certificate("wrong host", "Hostname mismatch"),
    "a certificate signed by itself": certificate("self-signed", "self-signed certificate (set ca_file"),
    "an unknown authority's certificate": certificate("unknown", "unable to get local issuer certificate (set ca_file"),
    "no STARTTLS": Fault(
        options={"without": ("STARTTLS",)}, failure=Failure.NO_TLS, text="does not offer STARTTLS, which is required"
    ),
    "454 at STARTTLS": at("STARTTLS", "454 4.7.0 x", Failure.NO_TLS, "it refused STARTTLS, which is required"),
    "500 at STARTTLS": at("STARTTLS", "500 5.5.1 x", Failure.NO_TLS, "it refused STARTTLS, which is required"),
    "garbage at STARTTLS": at("STARTTLS", b"\xff\xfe\r\n", Failure.PROTOCOL, "invalid SMTP reply at STARTTLS"),
    "no handshake after STARTTLS": at("TLS", b"no handshake\r\n", Failure.NO_TLS, "the TLS handshake failed"),
    "only XOAUTH2": at(
        "EHLO", XOAUTH2, Failure.AUTH, "it offers XOAUTH2; the relay supports CRAM-MD5, PLAIN and LOGIN"
    ),
    "no AUTH at all": Fault(options={"users": {}}, failure=Failure.AUTH, text="it offers no AUTH"),
    "AUTH only before STARTTLS": at("EHLO", offer_auth_before_starttls_only, Failure.AUTH, "it offers no AUTH"),
    "another protocol": at(
        "GREETING", b"SSH-2.0-OpenSSH_9.2\r\n", Failure.PROTOCOL, "invalid SMTP reply at the greeting"
    ),
    "a web server": at("GREETING", b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", Failure.PROTOCOL, "HTTP/1.1 400 Bad"),
    "binary data": at("GREETING", bytes(range(256)) + b"\r\n", Failure.PROTOCOL, "invalid SMTP reply at the"),
    "one byte now and then": at(
        "GREETING", trickle(b"220 " + b"x" * 999, 0.02), Failure.UNREACHABLE, "no reply at the greeting"
    ),
    "an endless line": at("EHLO", flood(b"x" * 65536), Failure.PROTOCOL, "invalid SMTP reply at EHLO"),
    "an endless reply": at("EHLO", flood(b"250-more\r\n" * 6000), Failure.PROTOCOL, "invalid SMTP reply at EHLO"),
    "endless replies": at("EHLO", flood(b"250 more\r\n" * 6000), Failure.PROTOCOL, "reply at EHLO"),
    "one reply with two codes": at("RCPT", b"250-one\r\n550 two\r\n", Failure.PROTOCOL, "with several codes"),
    "two replies to one command": at(
        "MAIL", b"250 one\r\n250 two\r\n", Failure.PROTOCOL, "more than one reply at MAIL"
    ),
    "two greetings": at("GREETING", b"220 hi\r\n220 hi\r\n", Failure.PROTOCOL, "more than one reply at the"),
    "a reply before its command": at("EHLO", "220 hi", Failure.PROTOCOL, "unexpected reply at EHLO: 220 hi"),
    "a 2xx reply before the content": at(
        "DATA", b"354 go\r\n250 taken\r\n", Failure.PROTOCOL, "than one reply at DATA"
    ),
    "a code below 200": at("GREETING", "199 x", Failure.PROTOCOL, "invalid SMTP reply at the greeting: 199 x"),
    "a code above 599": at("MAIL", "600 x", Failure.PROTOCOL, "invalid SMTP reply at MAIL: 600 x"),
    "markup and control characters in a reply": at(
        "RCPT", f"550 {NASTY}", Failure.REFUSED, "550 [2J ]0;x", connections=2
    ),
    "our password in a greeting": at("GREETING", f"554 {PASSWORD}", Failure.UNWILLING, "greeting: 554 ***"),
    "our password in a refusal": at(
        "RCPT", "550 " + " ".join(ENCODINGS), Failure.REFUSED, "550 *** *** ***", connections=2
    ),
    "our password in capitals": at("DOT", f"451 {ENCODINGS[2].upper()}", Failure.REFUSED, "451 ***", connections=2),
    "our password in an invalid reply": at("AUTH", ENCODINGS[2].encode() + b"\r\n", Failure.PROTOCOL, "line: ***"),
}


@pytest.fixture(autouse=True)
def tries_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "monotonic", lambda: 0.0)
    monkeypatch.setattr(upstream_module, "TIMEOUTS_FOR_CONTENT", 2)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority: trustme.CA) -> dict[str, trustme.LeafCert]:
    itself = trustme.CA()
    own = itself.cert_pem.bytes()
    return {
        "good": authority.issue_cert("localhost"),
        "expired": authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)),
        "wrong host": authority.issue_cert("elsewhere.test"),
        "unknown": trustme.CA().issue_cert("localhost"),
        "self-signed": trustme.LeafCert(itself.private_key_pem.bytes(), own, []),
    }


@dataclass
class Bench:
    """The sending half of a relay, and every place where its administrator reads about it."""

    settings: config.Settings
    ledger: Ledger
    outbox: Outbox
    folder: Path

    @property
    def key(self) -> UpstreamKey:
        return upstream_key(self.settings)

    def run_outbox(self, *times: datetime) -> None:
        """Run the outbox step at these times, as the worker does."""
        for now in times:
            while self.outbox.step(now):
                pass

    def readyz(self) -> tuple[bool, str]:
        vitals = Vitals(
            idle_seconds={},
            longest_delivery=1.0,
            backlog=0,
            receiver_seen_at=NOON,
            receiver_counters={},
            upstream=self.key,
        )
        client = create_app(self.ledger, self.settings, lambda: vitals, lambda: NOON + MINUTE / 2).test_client()
        assert "<script>" not in client.get("/").text
        message = self.ledger.messages()[0]
        assert "<script>" not in client.get(f"/letters/{message.id}").text
        response = client.get("/readyz")
        return response.status_code == 200, response.get_json()["upstream"]

    def status(self) -> str:
        run = CliRunner().invoke(main, ["status", "--config", str(self.folder / "relay.toml")])
        assert run.exit_code == 0, run.output
        return next(line for line in run.output.splitlines() if line.startswith("upstream  "))


@pytest.fixture(scope="module")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger, migrated once for all tests of the module."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Ledger.open(sqlite_url(path)).close()
    return path


@pytest.fixture
def make_bench(tmp_path: Path, authority: trustme.CA, new_ledger: Path) -> Iterator[Callable[[int, bool], Bench]]:
    opened: list[Ledger] = []

    def make(port: int, short_timeout: bool) -> Bench:
        ca_file = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(ca_file)
        upstream = {"host": "localhost", "port": port, "username": USER, "password": PASSWORD, "ca_file": str(ca_file)}
        settings = config.make_settings(tmp_path / "data", admins=[ADA], sender="r@example.com", upstream=upstream)
        lines = "".join(f"{name} = {value!r}\n" for name, value in upstream.items())
        (tmp_path / "relay.toml").write_text(
            f"admins = ['{ADA}']\n[storage]\ndata_dir = '{tmp_path / 'data'}'\n[upstream]\n{lines}"
        )
        (tmp_path / "data").mkdir()
        ledger = Ledger.open(sqlite_url(Path(shutil.copy(new_ledger, tmp_path / "data" / "ledger.db"))))
        opened.append(ledger)
        if short_timeout:
            upstream_settings = settings.upstream.model_copy(update={"timeout": SHORT_TIMEOUT})
            settings = settings.model_copy(update={"upstream": upstream_settings})
        return Bench(
            settings,
            ledger,
            Outbox(ledger, open_target(settings), settings, upstream_key(settings).worker, lambda: 0.0),
            tmp_path,
        )

    yield make
    for ledger in opened:
        ledger.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_upstream_is_reported_and_loses_nothing(
    name: str,
    make_bench: Callable[[int, bool], Bench],
    certificates: dict[str, trustme.LeafCert],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With two messages of two routes: reported in the log, `/readyz`, the dashboard and `relay status`.

    The outbox makes few connections. After the fault both messages arrive, and arrive twice only if the faulty server
    had accepted them without a reply.
    """
    fault = FAULTS[name]
    options = {"security": "starttls", "users": {USER: PASSWORD}, **fault.options}
    with servers.Upstream(certificate=certificates[fault.certificate], **options) as faulty:
        for place, action in fault.actions.items():
            faulty.say(place, action)
        if fault.away:
            faulty.stop()
        bench = make_bench(faulty.port, fault.hangs)
        messages = {enqueue_digest(bench.ledger, who, route=f"route of {who}") for who in (ADA, BOB)}
        with capture_logs() as logs:
            bench.run_outbox(*(NOON + second * SECOND for second in (0, 1, 30, 59)))
        ready, readyz = bench.readyz()
        status = bench.status()
        detail = bench.ledger.upstream(bench.key).detail

    logged = " ".join(str(line) for line in logs)
    assert faulty.connections == (0 if fault.away else fault.connections)
    assert not ready
    assert fault.text in readyz
    assert readyz.startswith(fault.failure)
    assert f"localhost:{faulty.port}: " in readyz
    assert f"); {advice_on_failure(fault.failure, detail)}; next try " in readyz
    assert status.split(" next try ")[0].endswith(readyz.split(" next try ")[0])
    assert fault.text in logged
    assert all("advice" in line for line in logs)
    assert all(line["log_level"] in {"warning", "error"} and line["event"].isprintable() for line in logs)
    assert all(text.isprintable() for line in logs for text in line.values() if isinstance(text, str))
    assert not any(each.lower() in (logged + readyz + status).lower() for each in ENCODINGS)
    by_libraries = [record for record in caplog.records if record.name.partition(".")[0] in {"asyncio", "aiosmtplib"}]
    assert by_libraries == []

    with servers.Upstream(
        certificate=certificates["good"], security="starttls", users={USER: PASSWORD}, port=faulty.port
    ) as correct:
        bench.run_outbox(*(NOON + minute * MINUTE for minute in (2, 3, 11, 61, 62)))
    assert sorted(mail.message_id for mail in correct.mails) == sorted(f"<{each}@relay.test>" for each in messages)
    assert correct.connections == 2
    stored = [bench.ledger.message(each) for each in messages]
    assert sum(message is not None and message.ambiguous for message in stored) == (
        "(at the end of DATA)" in fault.text and (fault.failure is Failure.UNREACHABLE)
    )
    assert len(faulty.mails) == (1 if "ACCEPTED" in fault.actions else 0)
    assert figures(bench.ledger) == {"received": 6, "reported": 6}
