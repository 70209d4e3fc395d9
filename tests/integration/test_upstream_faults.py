"""Every way an upstream can fail, from the outbox to what an administrator reads: told, bounded, and nothing lost.

What one try comes to is shown in `test_deliver_hostile`; here a real outbox on a real ledger meets a real server, which
is replaced by an honest one afterwards.
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
from relay.model import Failure
from relay.outbox import step as outbox_module
from relay.outbox.advice import ADVICE
from relay.outbox.step import Outbox
from relay.web import Vitals, create_app
from tests.support import upstream as servers
from tests.support.ledger_world import ADA, BOB, MINUTE, NOON, SECOND, enqueue_digest, figures
from tests.support.upstream import Action, drop, flood, hang, trickle

USER, PASSWORD = "relay", "corr3ct horse"
SHAPES = (PASSWORD, *(base64.b64encode(text.encode()).decode() for text in (PASSWORD, f"\0{USER}\0{PASSWORD}")))
HASTY = timedelta(seconds=1)
"""For servers that hang: less than may be configured."""
XOAUTH2 = b"250-upstream.test\r\n250-STARTTLS\r\n250 AUTH XOAUTH2\r\n"
NASTY = "\x1b[2J\x1b]0;x\x07<script>alert(1)</script>\u202e\x00\x85 level=critical event='all is well' {{ 7 * 7 }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the server does, and what the administrator is to learn of it."""

    told: dict[str, Action] = field(default_factory=dict)
    """What it does where (see `tests.support.upstream`)."""
    options: dict[str, Any] = field(default_factory=dict)
    certificate: str = "good"
    away: bool = False
    trouble: Failure
    words: str
    letters: int = 1
    """How many of the two letters it hears of before the first pause is over."""

    @property
    def hangs(self) -> bool:
        return hang in self.told.values() or self.words == "no answer at the greeting"


def at(place: str, action: Action, trouble: Failure, words: str, letters: int = 1) -> Fault:
    return Fault(told={place: action}, trouble=trouble, words=words, letters=letters)


def certificate(kind: str, words: str) -> Fault:
    return Fault(certificate=kind, trouble=Failure.CERTIFICATE, words=words)


async def offer_auth_in_clear(session: servers.Session) -> None:
    more = "HELP" if session.tls else "STARTTLS\r\n250-AUTH PLAIN LOGIN"
    await session.say(f"250-upstream.test\r\n250-{more}\r\n250 OK\r\n".encode())


STEPS = ("GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")
FAULTS = {
    "refuses connections": Fault(away=True, trouble=Failure.UNREACHABLE, words="cannot connect: Connection refused"),
    **{f"hangs at {step}": at(step, hang, Failure.UNREACHABLE, "no answer at ") for step in STEPS},
    "hangs in the TLS handshake": at("TLS", hang, Failure.UNREACHABLE, "no answer at STARTTLS"),
    "hangs after the final dot": at("DOT", hang, Failure.UNREACHABLE, "no word on it in time (at the content)"),
    "takes the mail and hangs": at("TAKEN", hang, Failure.UNREACHABLE, "no word on it in time (at the content)"),
    **{
        f"hangs up at {step}": at(step, drop, Failure.UNREACHABLE, f"the connection broke at {step}")
        for step in ("EHLO", "MAIL", "RCPT", "DATA")
    },
    "hangs up instead of a greeting": at("GREETING", drop, Failure.UNREACHABLE, "broke at the greeting"),
    "hangs up at AUTH": at("AUTH", drop, Failure.UNREACHABLE, "the connection broke at AUTH CRAM-MD5"),
    "hangs up in the TLS handshake": at("TLS", drop, Failure.NO_TLS, "the TLS handshake failed"),
    "hangs up after the final dot": at("DOT", drop, Failure.UNREACHABLE, "broke before its word (at the content)"),
    "takes the mail and hangs up": at("TAKEN", drop, Failure.UNREACHABLE, "broke before its word (at the content)"),
    **{
        f"421 at {step}": at(step, "421 4.3.2 shutting down", Failure.UNWILLING, "421 4.3.2 shutting down")
        for step in STEPS
    },
    "421 after the final dot": at("DOT", "421 4.3.2 x", Failure.REFUSED, "421 4.3.2 x (at the content)", letters=2),
    "greylisting": at("RCPT", "451 4.7.1 greylisted", Failure.REFUSED, "451 4.7.1 greylisted (at RCPT)", letters=2),
    "a limit on mails": at("MAIL", "450 4.7.1 slow down", Failure.REFUSED, "450 4.7.1 slow down (at MAIL)", letters=2),
    "452 at DATA": at("DATA", "452 4.3.1 no room", Failure.REFUSED, "452 4.3.1 no room (at DATA)", letters=2),
    "451 after the dot": at("DOT", "451 4.3.0 x", Failure.REFUSED, "451 4.3.0 x (at the content)", letters=2),
    "554 as a greeting": at("GREETING", "554 5.7.1 listed", Failure.UNWILLING, "at the greeting: 554 5.7.1 listed"),
    "550 at EHLO": at("EHLO", "550 5.7.1 not you", Failure.UNWILLING, "it refused at EHLO: 550 5.7.1 not you"),
    **{
        f"550 at {step}": at(step, "550 5.7.1 no", Failure.REFUSED, f"550 5.7.1 no (at {step})", letters=2)
        for step in ("MAIL", "RCPT", "DATA")
    },
    "554 after the dot": at("DOT", "554 5.7.1 spam", Failure.REFUSED, "554 5.7.1 spam (at the content)", letters=2),
    "535 at AUTH": at("AUTH", "535 5.7.8 wrong", Failure.AUTH, "it refused the credentials (LOGIN): 535 5.7.8 wrong"),
    "454 at AUTH": at("AUTH", "454 4.7.0 x", Failure.UNWILLING, "it refused at AUTH LOGIN: 454 4.7.0 x"),
    "AUTH without an end": at("AUTH", "334 bW9yZQ==", Failure.AUTH, "it refused the credentials"),
    "AUTH with a challenge that is none": at("AUTH", "334 !!!x", Failure.AUTH, "it refused the credentials"),
    "530 at MAIL": at("MAIL", "530 5.7.0 who?", Failure.AUTH, "at MAIL: 530 5.7.0 who?"),
    "an expired certificate": certificate("expired", "certificate has expired"),
    "another host's certificate": certificate("wrong host", "Hostname mismatch"),
    "a certificate signed by itself": certificate("self-signed", "self-signed certificate (ca_file"),
    "an unknown authority's certificate": certificate("unknown", "unable to get local issuer certificate (ca_file"),
    "no STARTTLS": Fault(
        options={"without": ("STARTTLS",)}, trouble=Failure.NO_TLS, words="does not offer STARTTLS, which is required"
    ),
    "454 at STARTTLS": at("STARTTLS", "454 4.7.0 x", Failure.NO_TLS, "it refused STARTTLS, which is required"),
    "500 at STARTTLS": at("STARTTLS", "500 5.5.1 x", Failure.NO_TLS, "it refused STARTTLS, which is required"),
    "garbage at STARTTLS": at("STARTTLS", b"\xff\xfe\r\n", Failure.PROTOCOL, "no SMTP reply at STARTTLS"),
    "no handshake after STARTTLS": at("TLS", b"no handshake\r\n", Failure.NO_TLS, "the TLS handshake failed"),
    "only XOAUTH2": at("EHLO", XOAUTH2, Failure.AUTH, "it offers XOAUTH2; the relay can do CRAM-MD5, PLAIN and LOGIN"),
    "no AUTH at all": Fault(options={"users": {}}, trouble=Failure.AUTH, words="it offers no AUTH"),
    "AUTH in clear alone": at("EHLO", offer_auth_in_clear, Failure.AUTH, "it offers no AUTH"),
    "another protocol": at("GREETING", b"SSH-2.0-OpenSSH_9.2\r\n", Failure.PROTOCOL, "no SMTP reply at the greeting"),
    "a web server": at("GREETING", b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", Failure.PROTOCOL, "HTTP/1.1 400 Bad"),
    "bytes that are no text": at("GREETING", bytes(range(256)) + b"\r\n", Failure.PROTOCOL, "no SMTP reply at the"),
    "a byte now and then": at(
        "GREETING", trickle(b"220 " + b"x" * 999, 0.02), Failure.UNREACHABLE, "no answer at the greeting"
    ),
    "a line without an end": at("EHLO", flood(b"x" * 65536), Failure.PROTOCOL, "no SMTP reply at EHLO"),
    "a reply without an end": at("EHLO", flood(b"250-more\r\n" * 6000), Failure.PROTOCOL, "no SMTP reply at EHLO"),
    "replies without an end": at("EHLO", flood(b"250 more\r\n" * 6000), Failure.PROTOCOL, "reply at EHLO"),
    "one reply with two codes": at("RCPT", b"250-one\r\n550 two\r\n", Failure.PROTOCOL, "with several codes"),
    "two replies to one command": at(
        "MAIL", b"250 one\r\n250 two\r\n", Failure.PROTOCOL, "more than one reply at MAIL"
    ),
    "a greeting said twice": at("GREETING", b"220 hi\r\n220 hi\r\n", Failure.PROTOCOL, "more than one reply at the"),
    "an answer before the question": at("EHLO", "220 hi", Failure.PROTOCOL, "it answered EHLO with 220 hi"),
    "a yes before the content": at("DATA", b"354 go\r\n250 taken\r\n", Failure.PROTOCOL, "than one reply at DATA"),
    "a code below all": at("GREETING", "199 x", Failure.PROTOCOL, "no SMTP reply at the greeting: 199 x"),
    "a code above all": at("MAIL", "600 x", Failure.PROTOCOL, "no SMTP reply at MAIL: 600 x"),
    "words that would be more": at("RCPT", f"550 {NASTY}", Failure.REFUSED, "550 [2J ]0;x", letters=2),
    "our password in a greeting": at("GREETING", f"554 {PASSWORD}", Failure.UNWILLING, "greeting: 554 ***"),
    "our password in a refusal": at("RCPT", "550 " + " ".join(SHAPES), Failure.REFUSED, "550 *** *** ***", letters=2),
    "our password in capitals": at("DOT", f"451 {SHAPES[2].upper()}", Failure.REFUSED, "451 ***", letters=2),
    "our password in what is no reply": at("AUTH", SHAPES[2].encode() + b"\r\n", Failure.PROTOCOL, "line: ***"),
}


@pytest.fixture(autouse=True)
def tries_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "monotonic", lambda: 0.0)
    monkeypatch.setattr(upstream_module, "PATIENCE_FOR_WORD", 2)


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
    """A relay's sending half, and all that its administrator can look at."""

    settings: config.Settings
    ledger: Ledger
    outbox: Outbox
    folder: Path

    def work(self, *moments: datetime) -> None:
        """What the worker does at these moments."""
        for moment in moments:
            while self.outbox.step(moment):
                pass

    def readyz(self) -> tuple[bool, str]:
        vitals = Vitals(idle_seconds={}, longest_delivery=1.0, backlog=0, receiver_seen_at=NOON, receiver_counters={})
        client = create_app(self.ledger, self.settings, lambda: vitals, lambda: NOON + MINUTE / 2).test_client()
        assert "<script>" not in client.get("/").text
        letter = self.ledger.letters()[0]
        assert "<script>" not in client.get(f"/letters/{letter.id}").text
        answer = client.get("/readyz")
        return answer.status_code == 200, answer.get_json()["upstream"]

    def status(self) -> str:
        run = CliRunner().invoke(main, ["status", "--config", str(self.folder / "relay.toml")])
        assert run.exit_code == 0, run.output
        return next(line for line in run.output.splitlines() if line.startswith("upstream  "))


@pytest.fixture(scope="module")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger, migrated once for all."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Ledger.open(sqlite_url(path)).close()
    return path


@pytest.fixture
def make_bench(tmp_path: Path, authority: trustme.CA, new_ledger: Path) -> Iterator[Callable[[int, bool], Bench]]:
    opened: list[Ledger] = []

    def make(port: int, hasty: bool) -> Bench:
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
        if hasty:
            settings = settings.model_copy(update={"upstream": settings.upstream.model_copy(update={"timeout": HASTY})})
        return Bench(settings, ledger, Outbox(ledger, open_target(settings), settings, "one", lambda: 0.0), tmp_path)

    yield make
    for ledger in opened:
        ledger.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_upstream_is_told_and_loses_nothing(
    name: str,
    make_bench: Callable[[int, bool], Bench],
    certificates: dict[str, trustme.LeafCert],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two letters of two routes: told in the log, `/readyz`, the dashboard and `relay status`, with few connections.

    Once the server is honest both arrive, and come twice only where it had taken them without a word.
    """
    fault = FAULTS[name]
    options = {"security": "starttls", "users": {USER: PASSWORD}, **fault.options}
    with servers.Upstream(certificate=certificates[fault.certificate], **options) as faulty:
        for place, action in fault.told.items():
            faulty.say(place, action)
        if fault.away:
            faulty.stop()
        bench = make_bench(faulty.port, fault.hangs)
        letters = {enqueue_digest(bench.ledger, who, route=f"route of {who}") for who in (ADA, BOB)}
        with capture_logs() as logs:
            bench.work(*(NOON + second * SECOND for second in (0, 1, 30, 59)))
        ready, readyz = bench.readyz()
        status = bench.status()

    said = " ".join(str(line) for line in logs)
    assert faulty.connections == (0 if fault.away else fault.letters)
    assert not ready
    assert fault.words in readyz
    assert readyz.startswith(fault.trouble)
    assert f"localhost:{faulty.port}: " in readyz
    assert f"); {ADVICE[fault.trouble]}; next try " in readyz
    assert status.split(" next try ")[0].endswith(readyz.split(" next try ")[0])
    assert fault.words in said
    assert all("advice" in line for line in logs)
    assert all(line["log_level"] in {"warning", "error"} and line["event"].isprintable() for line in logs)
    assert all(text.isprintable() for line in logs for text in line.values() if isinstance(text, str))
    assert not any(shape.lower() in (said + readyz + status).lower() for shape in SHAPES)
    ours = [record for record in caplog.records if record.name.partition(".")[0] in {"asyncio", "aiosmtplib"}]
    assert ours == [], "no library has anything to add"

    with servers.Upstream(
        certificate=certificates["good"], security="starttls", users={USER: PASSWORD}, port=faulty.port
    ) as honest:
        bench.work(*(NOON + minute * MINUTE for minute in (2, 3, 11, 61, 62)))
    assert sorted(mail.message_id for mail in honest.mails) == sorted(f"<{each}@relay.test>" for each in letters)
    assert honest.connections == 2
    stored = [bench.ledger.letter(each) for each in letters]
    assert sum(letter is not None and letter.ambiguous for letter in stored) == (
        "(at the content)" in fault.words and (fault.trouble is Failure.UNREACHABLE)
    )
    assert len(faulty.mails) == (1 if "TAKEN" in fault.told else 0)
    assert figures(bench.ledger) == {"received": 6, "reported": 6}
