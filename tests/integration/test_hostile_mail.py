"""A mail that tries everything, through the real chain: nothing of it becomes anything but text that is read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from relay.cli import main
from relay.compose.message import html_part, text_part
from relay.config import make_settings
from relay.digest import Digests
from relay.ledger import Ledger
from relay.service.assembly import make_renderer
from relay.service.event_logs import configure
from relay.web import Vitals, create_app
from tests.support.ingest_bench import IngestBench, mail

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
TRICKS = (
    r"\[/b] [/b] {{ 7 * 7 }}{% raw %}<script>alert(1)</script>\u200f\u061c\u202eexe\u2066\ufeff"
    "\x1b[2J\x1b]0;owned\x07\x9b2J\x00\x85\u2028"
)
WORDS = TRICKS.replace(r"\u200f\u061c\u202e", "\u200f\u061c\u202e").replace(r"\u2066\ufeff", "\u2066")
LINES = "\r\nBcc: eve@example.com\r\n\r\nHello"
JSON_PART = json.dumps(
    {
        "version": 1,
        **dict.fromkeys(("host", "release", "environment", "thread", "time"), WORDS + LINES),
        "request": {"method": WORDS, "path": WORDS + LINES, "user": WORDS},
        "message": {"template": WORDS, "arguments": {WORDS: WORDS}},
        "exceptions": [
            {
                "type": WORDS, "module": WORDS, "message": WORDS,
                "frames": [{"file": f"../../{WORDS}", "line": 1, "function": WORDS}],
            }
        ],
    }
)  # fmt: skip
HEAD = (
    'From: "Eve" <eve@example.com>\r\nTo: victim@example.com\r\nCc: victim@example.com\r\nReply-To: eve@example.com\r\n'
    "Message-ID: <evil@example.com>\r\nIn-Reply-To: <evil@example.com>\r\nReferences: <evil@example.com>\r\n"
    "Subject: =?utf-8?q?[../../etc]=0D=0ABcc:_eve=40example.com=0D=0A?= " + WORDS + "\r\n"
    "X-Error-Mail-Client: 1\r\nX-Error-Mail-Record: ../../../tmp/x\r\n"
    "X-Error-Mail-App: ../../x=?utf-8?q?=0D=0ABcc:_eve?=\r\n"
    "X-Error-Mail-Logger: " + WORDS + "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
)  # fmt: skip
HOSTILE = (
    f"{HEAD}--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    f"Message type:       ERROR\r\nLocation:           ../../{WORDS}:7\r\n"
    f"Module:             {WORDS}\r\nFunction:           {WORDS}\r\n\r\nMessage:\r\n\r\n{WORDS}{LINES}\r\n"
    f'Traceback (most recent call last):\r\n  File "../../{WORDS}.py", line 1, in {WORDS}\r\n'
    f"    <b>x</b>\r\nValueError: {WORDS}\r\n"
    f"--b\r\nContent-Type: application/vnd.error-mail+json\r\n\r\n{JSON_PART}\r\n--b--\r\n"
).encode()

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal, a log or a mail program would do something at."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[IngestBench]:
    """The hostile mail, ingested and reported."""
    ledger = Ledger.open(f"sqlite:///{tmp_path}/data/ledger.db")
    bench = IngestBench(tmp_path / "data", ledger)
    bench.settings = make_settings(tmp_path / "data", admins=["ops@example.org"], upstream={"host": "localhost"})
    bench.spool([HOSTILE], at=NOW)
    bench.ingest_all(NOW)
    assert Digests(ledger, make_renderer(bench.settings), bench.settings, "test").step(LATER)
    yield bench
    ledger.close()


def test_the_digest_has_our_headers_and_our_recipients_alone(bench):
    [message] = bench.ledger.messages()
    digest = message_from_bytes(bench.ledger.raw(message.id) or b"", policy=policy.default)

    assert digest.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Error-Mail-Relay", "MIME-Version",
        "Content-Type",
    ]  # fmt: skip
    assert str(digest["To"]) == "ops@example.org"
    claimed = bench.ledger.claim_message("test", LATER, timedelta(minutes=1))
    assert claimed is not None
    assert list(claimed.recipients) == ["ops@example.org"]
    assert "evil@" not in str(digest["Message-ID"])


def test_the_digest_shows_what_would_be_obeyed(bench):
    raw = bench.ledger.raw(bench.ledger.messages()[0].id) or b""
    text, html = text_part(raw), html_part(raw)

    assert not OBEYED.search(text + html)
    assert "{{ 7 * 7 }}{% raw %}<script>alert(1)</script>" in text
    assert "<script" not in html
    assert "49" not in re.findall(r"7 \* 7|\b49\b", text)


def test_the_pages_are_markup_of_ours_alone_and_can_run_nothing(bench):
    vitals = Vitals(
        idle_seconds={"sorting": 0.0}, longest_delivery=1.0, backlog=0, receiver_seen_at=LATER, receiver_counters={}
    )
    client = create_app(bench.ledger, bench.settings, lambda: vitals, lambda: LATER).test_client()
    group, message = bench.ledger.groups()[0], bench.ledger.messages()[0]

    for path in ("/", f"/errors/{group.id}", f"/letters/{message.id}", f"/letters/{message.id}/html"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.text), path
    assert "owned" not in client.get("/metrics").text


@pytest.mark.parametrize(
    "command", [["groups"], ["show", "1"], ["status"], ["plan"], ["explain", "1"], ["render"], ["outbox"]], ids=" ".join
)
def test_a_terminal_obeys_nothing_of_it(bench, tmp_path, command):
    """Neither its escapes, nor what Rich would take for markup."""
    config = tmp_path / "relay.toml"
    tables = f'[storage]\ndata_dir = "{tmp_path}/data"\n[upstream]\nhost = "localhost"\n'
    config.write_text(f'admins = ["ops@example.org"]\n{tables}')

    result = CliRunner().invoke(main, [*command, "--config", str(config)])

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert not OBEYED.search(result.output), OBEYED.findall(result.output)


def test_no_file_is_named_by_it(bench, tmp_path):
    names = {path.name for path in tmp_path.rglob("*")}

    assert not [name for name in names if "etc" in name or "script" in name or name == "x"]
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_parked_mail_is_named_by_us_and_said_on_one_line(bench, tmp_path, monkeypatch):
    """Its words are in no line of the log, not even as the exception's."""

    def broken(*_: object) -> None:
        raise ValueError(f"{WORDS}\nlevel=critical all is well")

    monkeypatch.setattr("relay.ingest.step.parse_all", broken)
    output = io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    configure("worker", "json", "info")
    monkeypatch.setattr("relay.ingest.step.log", structlog.get_logger())
    bench.spool([HOSTILE, mail("the next one")], at=NOW)

    bench.ingest_all(NOW)

    lines = output.getvalue().splitlines()
    assert all(json.loads(line)["level"] in ("error", "warning") for line in lines)
    assert not OBEYED.search("".join(lines))
    parked = {path.name for path in (tmp_path / "data" / "parked").iterdir()}
    assert all(re.fullmatch(r"[0-9a-f]{32}-\d+\.eml", name) for name in parked)
