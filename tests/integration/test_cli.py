"""Every command on a real ledger: its output and its exit code (0 success, 1 the answer is no, 2 wrong usage)."""

from __future__ import annotations

import json
import mailbox
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from relay.cli import main
from relay.clock import utc_now
from relay.compose.message import text_part
from relay.config import load
from relay.digest import Digests
from relay.grouping.fingerprint import fingerprint
from relay.grouping.versions import Versions
from relay.ledger import Ledger, Outcome
from relay.model import BudgetState, Failure, Fingerprint, MessageState, UpstreamState
from relay.service.assembly import make_renderer
from relay.service.worker_name import upstream_key
from relay.spool import SpoolReader
from tests.support.ingest_bench import IngestBench, mail
from tests.support.smtp_sinks import Sink
from tests.support.upstream import Upstream


@dataclass
class Bench:
    """A ledger with mails, and the commands on it."""

    ingest: IngestBench
    config: Path

    def run(self, *arguments: str, stdin: str | None = None, config: bool = True) -> Result:
        last = ("--config", str(self.config)) if config else ()
        result = CliRunner().invoke(main, [*arguments, *last], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def json(self, *arguments: str):
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def enqueue_digest(self) -> str:
        """Compose a digest of what is pending; return its id."""
        digests = Digests(self.ingest.ledger, make_renderer(self.ingest.settings), self.ingest.settings, "test")
        assert digests.step(utc_now() + timedelta(seconds=11))
        return self.ingest.ledger.messages()[0].id

    def create_dead_letter(self) -> str:
        """Create a dead letter; return its id."""
        self.enqueue_digest()
        now = utc_now() + timedelta(seconds=12)
        message = self.ingest.ledger.claim_message("test", now, timedelta(minutes=1))
        assert message
        refused = Outcome(refused=frozenset(message.recipients), tries=3, refusals=3, ambiguous=False)
        assert self.ingest.ledger.settle(message, refused, now) is MessageState.DEAD
        return message.id

    def create_waiting_message(self, later: timedelta = timedelta(0)) -> str:
        """Create a message that waits for an hour, as the upstream does; return its id."""
        digests = Digests(self.ingest.ledger, make_renderer(self.ingest.settings), self.ingest.settings, "test")
        now = utc_now() + timedelta(seconds=12) + later
        assert digests.step(now)
        message = self.ingest.ledger.claim_message("test", now, timedelta(minutes=1))
        assert message
        next_try = now + timedelta(hours=1)
        self.ingest.ledger.settle(message, Outcome(next_try_at=next_try, tries=0, refusals=0, ambiguous=False), now)
        failing = UpstreamState(failures=3, failing_since=now, failure=Failure.AUTH, next_try_at=next_try)
        self.ingest.ledger.save_upstream(upstream_key(load(self.config, {}).settings), failing)
        return message.id


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Three mails of one error, ingested and pending."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "relay.toml"
    config.write_text(f'[storage]\ndata_dir = "{tmp_path}/data"\n')
    ledger = Ledger.open(f"sqlite:///{tmp_path}/data/ledger.db")
    ingest = IngestBench(tmp_path / "data", ledger)
    ingest.spool([mail(f"order {number} of [bold]bob[/bold] is lost") for number in range(3)], at=utc_now())
    ingest.ingest_all(utc_now())
    yield Bench(ingest, config)
    ledger.close()


def test_status_shows_the_books_and_that_they_balance(bench):
    shown = bench.run("status").output
    found = bench.json("status")

    assert "received              3" in shown
    assert "local mailbox: no upstream is set" in shown
    assert (found["received"], found["pending"], found["balanced"]) == (3, 3, True)


def test_status_counts_a_mail_once_that_is_ingested_while_it_reads(bench, monkeypatch):
    bench.ingest.spool([mail("one more"), mail("and another")], at=utc_now())
    real = SpoolReader.waiting

    def ingested_meanwhile(reader, position):
        bench.ingest.ingest_all(utc_now())
        return real(reader, position)

    monkeypatch.setattr(SpoolReader, "waiting", ingested_meanwhile)
    found = bench.json("status")

    assert (found["received"], found["spooled_unsorted"]) == (5, 0)


def test_groups_lists_errors_by_the_text_of_their_mails(bench):
    shown = bench.run("groups").output
    [group] = bench.json("groups")

    assert {"[bold]bob[/bold]", "Failed]"} <= set(shown.split())  # the title may be folded
    assert (group["mails"], group["phase"]) == (3, "fresh")
    assert bench.json("groups", "--search", "nothing of the kind") == []


def test_show_prints_one_error_with_its_sample(bench):
    shown = bench.run("show", "1")

    assert shown.exit_code == 0
    assert "[bold]bob[/bold] is lost" in shown.output
    assert bench.json("show", "1")["group"]["mails"] == 3


def test_show_of_an_unknown_error_exits_with_1(bench):
    assert bench.run("show", "99").exit_code == 1


def test_plan_prints_when_and_why(bench):
    [forecast] = bench.json("plan")

    assert forecast["reason"] == "new"
    assert "new: 3 pending" in " ".join(bench.run("plan").output.split())


def test_plan_and_status_say_that_the_budget_holds_mail_back(bench):
    now = utc_now()
    spent = BudgetState(tokens=0.0, at=now, day=now.date().isoformat(), sent_today=20, exhausted_since=now)
    ledger = bench.ingest.ledger
    with ledger.digesting("test", ledger.lease("test", "me", now, timedelta(minutes=1))) as tx:
        tx.save_budget("admins@localhost", spent)
        tx.save(replace(group, due_at=now) for group in tx.pending_groups("admins"))

    [forecast] = bench.json("plan")
    plan, status = (" ".join(bench.run(command).output.split()) for command in ("plan", "status"))

    assert datetime.fromisoformat(forecast["at"]) - now == timedelta(minutes=6), "two tokens at 20 an hour"
    assert "held by the budget of admins@localhost" in forecast["words"]
    for shown in (plan, status, bench.json("status")["budget"]):
        assert "admins@localhost gets the next mail" in shown
        assert "(1 error waiting since" in shown


def test_status_says_that_the_budget_holds_nothing_back(bench):
    assert bench.json("status")["budget"] == "holds nothing back"


def test_plan_of_nothing_says_so(bench):
    bench.enqueue_digest()

    assert "Nothing is due" in bench.run("plan").output


def test_render_shows_the_digest_and_changes_nothing(bench):
    text, html, raw = (bench.run("render", *option).output for option in ((), ("--html",), ("--raw",)))

    assert text.startswith("Subject: ")
    assert "Message type:       ERROR" in text
    assert "<html" in html
    assert "Auto-Submitted: auto-generated" in raw
    assert bench.json("status")["pending"] == 3


def test_explain_takes_a_file_standard_input_or_a_known_error(bench, tmp_path):
    file = tmp_path / "mail.eml"
    file.write_bytes(mail("order 7 of alice is lost"))

    by_file, by_stdin = bench.json("explain", str(file)), bench.run("explain", "-", stdin=mail("x broke").decode())
    by_id = bench.json("explain", "1")

    assert by_file["fingerprint"]["version"] >= 1
    assert by_file["fingerprint"]["steps"]
    assert by_stdin.exit_code == 0
    assert by_id["fingerprint"]["key"] == bench.json("groups")[0]["fingerprint"]
    assert bench.run("explain", "no-such-file").exit_code == 1


def test_explain_shows_the_further_errors_of_a_mail_without_their_secrets(bench, tmp_path):
    file = tmp_path / "log.eml"
    lines = ("INFO begins", "ERROR login with password=hunter2xyz failed", "CRITICAL the printer burns")
    file.write_bytes(mail("\n".join(f"2026-01-02 03:04:05,000 {line}" for line in lines)))

    found = bench.json("explain", str(file))

    assert found["fingerprint"]["title"] == "the printer burns"
    [further] = found["further"]
    assert further["report"]["message"] == "login with password=[masked] failed"
    assert len(further["fingerprint"]["key"]) == 32
    assert "Further errors in this mail" in bench.run("explain", str(file)).output


def test_explain_says_that_an_app_name_is_guessed(bench, tmp_path):
    file = tmp_path / "mail.eml"
    file.write_bytes(mail("it broke", subject="Daily job in Bonn"))

    assert "A sender has at most 8 such names" in " ".join(bench.run("explain", str(file)).output.split())


def test_explain_of_two_says_whether_they_are_one_error(bench, tmp_path):
    """A known error and a file; a file and standard input. The exit code is 0 for both answers."""
    file = tmp_path / "other.eml"
    file.write_bytes(mail("the printer burns"))

    two = bench.run("explain", "1", str(file))
    one = bench.run("explain", str(file), "-", stdin=mail("the printer burns").decode())
    as_json = bench.json("explain", "1", str(file))

    assert (two.exit_code, one.exit_code) == (0, 0)
    assert two.output.startswith("Two errors: they differ in: message.")
    assert one.output.startswith("The same error: everything that counts is equal.")
    assert "order <number> of" in two.output
    assert (as_json["same"], len(set(as_json["keys"]))) == (False, 2)
    [message] = [aspect for aspect in as_json["aspects"] if aspect["name"] == "message"]
    assert (message["other"], message["same"], message["counts"]) == (["the printer burns"], False, True)


def test_explain_of_two_names_the_rule_that_decided(bench, tmp_path):
    file = tmp_path / "other.eml"
    file.write_bytes(mail("the printer burns"))
    bench.config.write_text(bench.config.read_text() + '[[rule]]\nname = "All one"\naction = "join"\n')

    assert "The same error: rule 'All one': joined" in bench.run("explain", "1", str(file)).output


def test_explain_of_two_fails_if_one_is_missing(bench, tmp_path):
    file = tmp_path / "other.eml"
    file.write_bytes(mail("the printer burns"))

    assert bench.run("explain", str(file), "no-such-file").exit_code == 1
    assert bench.run("explain", "99", str(file)).exit_code == 1
    assert bench.run("explain", "-", "-", stdin="").exit_code == 2


def test_fingerprint_prints_one_line_for_each_json_line(bench):
    lines = "".join(json.dumps({"id": f"m{n}", "subject": "s", "body": f"order {n} is lost"}) + "\n" for n in range(3))

    answers = [json.loads(line) for line in bench.run("fingerprint", stdin=lines, config=False).stdout.splitlines()]

    assert [answer["id"] for answer in answers] == ["m0", "m1", "m2"]
    assert len({answer["fingerprint"] for answer in answers}) == 1


def test_regroup_shows_what_a_rule_would_do_and_changes_nothing(bench):
    bench.ingest.spool([mail("the printer burns"), mail("the printer is wet")])
    bench.ingest.ingest_all()
    assert "Nothing would change" in bench.run("regroup", "--dry-run").output
    bench.config.write_text(
        bench.config.read_text() + '[[rule]]\nname = "Printer"\naction = "join"\nmessage = "*printer*"\n'
        '[[rule]]\nname = "orders"\naction = "ignore"\nmessage = "*order*"\n'
    )

    moves = {move["title"]: move for move in bench.json("regroup", "--dry-run")}

    assert sorted(move["becomes"] for move in moves.values()) == ["Printer", "Printer", "ignored"]
    assert moves["the printer burns"]["with"] == [moves["the printer is wet"]["id"]]
    assert len(bench.json("groups")) == 3
    assert "Printer" in bench.run("regroup", "--dry-run").output


def test_regroup_shows_what_a_new_version_would_do(bench, monkeypatch):
    """Errors that do not change are only counted; errors that would be joined are listed."""

    def second(report):
        return Fingerprint(version=3, key=report.message[:9], title=f"second: {report.message}")

    bench.ingest.spool([mail("the printer burns"), mail("the printer is wet")])
    bench.ingest.ingest_all()
    monkeypatch.setattr("relay.ingest.versions.VERSIONS", Versions(current=second, number=3, former={2: fingerprint}))

    shown = " ".join(bench.run("regroup", "--dry-run").output.split())
    found = {move["title"]: move for move in bench.json("regroup", "--dry-run")}

    assert "second: the printer burns" in shown
    assert [(move["fate"], move["with"], move["parts"]) for move in found.values() if move["fate"] == "joined"] == [
        ("joined", [2], []),
        ("joined", [3], []),
    ]
    assert "joined" in shown
    assert bench.json("groups")[0]["version"] == 2


def test_regroup_only_counts_errors_that_are_carried_over(bench, monkeypatch):
    def second(report):
        return Fingerprint(version=3, key=f"third {fingerprint(report).key}", title="order")

    monkeypatch.setattr("relay.ingest.versions.VERSIONS", Versions(current=second, number=3, former={2: fingerprint}))

    assert bench.run("regroup", "--dry-run").output == "Carried over unchanged to version 3 of the fingerprint: 1.\n"


def test_regroup_without_dry_run_is_wrong_usage(bench):
    assert bench.run("regroup").exit_code == 2


def test_explain_names_the_rule_that_matched(bench):
    bench.config.write_text(bench.config.read_text() + '[[rule]]\nname = "All one"\naction = "join"\n')

    assert "rule 'All one': joined" in bench.run("explain", "1").output


def test_mute_and_unmute(bench):
    muted = bench.run("mute", "1", "--for", "2h")

    assert muted.exit_code == 0
    assert bench.json("groups")[0]["muted_until"]
    assert bench.run("unmute", "1").exit_code == 0
    assert bench.json("groups")[0]["muted_until"] is None
    assert bench.run("mute", "99", "--for", "2h").exit_code == 1


def test_groups_and_show_say_until_when_an_error_is_muted(bench):
    assert "muted no" in " ".join(bench.run("show", "1").output.split())
    muted = bench.run("mute", "1", "--for", "2h", "--above", "50/h")

    until = datetime.fromisoformat(bench.json("groups")[0]["muted_until"])
    words = f"until {until:%Y-%m-%d %H:%M:%S} UTC or above 50/h"
    assert muted.output.startswith(f"muted {words}: ")
    assert f"muted {words}" in " ".join(bench.run("show", "1").output.split())
    assert "above" in bench.run("groups").output
    bench.run("unmute", "1")
    assert "above" not in bench.run("groups").output


@pytest.mark.parametrize(("written", "an_hour"), [("50/h", 50), ("50", 50), ("5/min", 300)])
def test_mute_until_an_error_exceeds_a_rate(bench, written, an_hour):
    result = bench.run("mute", "1", "--above", written)

    assert result.output.startswith(f"muted until above {an_hour}/h: ")
    [group] = bench.json("groups")
    assert (group["mute_above"], group["muted_until"], group["due_at"]) == (an_hour, None, None)
    assert bench.json("plan") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say how long: --for 2h, --above 50/h, or both"),
        (("--above", "often"), "is no rate: write a number an hour"),
    ],
)
def test_mute_without_an_end_is_wrong_usage(bench, arguments, message):
    result = bench.run("mute", "1", *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_mute_for_no_duration_is_wrong_usage(bench):
    result = bench.run("mute", "1", "--for", "a while")

    assert result.exit_code == 2
    assert "is no duration" in result.output


def test_outbox_lists_retries_and_drops(bench):
    dead = bench.create_dead_letter()

    assert [found["state"] for found in bench.json("outbox", "list")] == ["dead"]
    assert dead[:8] in bench.run("outbox", "list").output
    assert bench.run("outbox", "retry", dead[:8]).exit_code == 0
    assert [found["state"] for found in bench.json("outbox", "list")] == ["open"]
    assert bench.run("outbox", "drop", dead[:8]).exit_code == 1  # it is not dead any more
    assert bench.run("outbox", "retry", "nothing like it").exit_code == 1


def test_outbox_retry_takes_a_message_that_waits(bench):
    waiting = bench.create_waiting_message()

    result = bench.run("outbox", "retry", waiting[:8])

    assert result.output == "queued for a try now\n"
    assert bench.ingest.ledger.next_try_at() <= utc_now()
    assert bench.ingest.ledger.upstream(upstream_key(load(bench.config, {}).settings)).next_try_at is None


def test_outbox_retry_all_takes_messages_that_wait_and_dead_letters(bench):
    bench.create_dead_letter()
    bench.ingest.spool([mail("another error")], at=utc_now() - timedelta(minutes=1))
    bench.ingest.ingest_all(utc_now())
    bench.create_waiting_message(later=timedelta(minutes=2))

    result = bench.run("outbox", "retry", "--all")

    assert result.output == "1 waiting message and 1 dead letter queued\n"
    assert {found["state"] for found in bench.json("outbox", "list")} == {"open"}
    assert bench.ingest.ledger.next_try_at() <= utc_now()


@pytest.mark.parametrize("arguments", [(), ("ID", "--all")])
def test_outbox_retry_wants_either_an_id_or_all(bench, arguments):
    result = bench.run("outbox", "retry", *arguments)

    assert result.exit_code == 2
    assert "give the ID of a message, or --all" in result.output


def test_outbox_drop_keeps_its_mails_booked_as_undelivered(bench):
    dead = bench.create_dead_letter()

    assert bench.run("outbox", "drop", dead).exit_code == 0
    assert bench.json("status")["undelivered"] == 3
    assert bench.run("outbox", "retry", dead).exit_code == 1


def test_send_test_delivers_a_notice(bench, tmp_path):
    result = bench.run("send-test")

    assert result.exit_code == 0, result.output
    [mail] = (tmp_path / "data" / "mailbox" / "new").iterdir()
    says = (
        "A new error is reported after 10 s. While more new errors keep coming, the gaps between their digests grow: "
    )
    assert says + "10 s, 30 s, 1 min, 2 min and 5 min. At most 5 mails at once, then 20 an hour." in result.output
    assert says in " ".join(text_part(mail.read_bytes()).split())


def test_successful_send_test_releases_everything_that_waits(bench):
    bench.create_waiting_message()

    result = bench.run("send-test")

    assert "1 waiting message queued for a try now" in result.output
    assert bench.ingest.ledger.next_try_at() <= utc_now()
    state = bench.ingest.ledger.upstream(upstream_key(load(bench.config, {}).settings))
    assert (state.next_try_at, state.failure, state.failures) == (None, None, 0)
    assert state.outage_until is not None, "the next digest mentions the outage"


def test_send_test_creates_no_ledger(bench, tmp_path):
    bench.config.write_text(f'[storage]\ndata_dir = "{tmp_path}/other"\n')

    assert bench.run("send-test").exit_code == 0
    assert not (tmp_path / "other" / "ledger.db").exists()


def test_send_test_shows_the_dialogue_without_the_password(bench):
    with Upstream(users={"relay": "corr3ct horse"}) as server:
        server.say("DOT", "550 5.7.60 SMTP; Client does not have permissions to send as this sender")
        bench.config.write_text(
            'admins = ["a@example.com"]\n'
            + bench.config.read_text()
            + f'[upstream]\nhost = "localhost"\nport = {server.port}\nsecurity = "none"\nauth_in_clear = true\n'
            + 'username = "relay"\npassword = "corr3ct horse"\n'
        )
        result = bench.run("send-test", "--verbose")

    assert result.exit_code == 1
    assert "C: AUTH CRAM-MD5\n" in result.output
    assert "C: ***\n" in result.output
    assert "C: RCPT TO:<a@example.com>\n" in result.output
    assert "a@example.com: our settings: 550 5.7.60 SMTP; Client does not have permissions" in result.output
    assert "set `sender` to the account's own address" in result.output
    assert "corr3ct" not in result.output


def test_send_test_prints_what_is_wrong_with_the_upstream(bench):
    bench.config.write_text(
        bench.config.read_text() + '[upstream]\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\ntimeout = "1s"\n'
    )
    bench.config.write_text('admins = ["a@example.com"]\n' + bench.config.read_text())

    result = bench.run("send-test")

    assert result.exit_code == 1
    assert "unreachable" in result.output


def test_failed_send_test_releases_nothing(bench):
    bench.config.write_text(
        'admins = ["a@example.com"]\n' + bench.config.read_text() + '[upstream]\nhost = "127.0.0.1"\nport = 1\n'
        'security = "none"\ntimeout = "1s"\n'
    )
    bench.create_waiting_message()

    assert bench.run("send-test").exit_code == 1
    assert bench.ingest.ledger.next_try_at() > utc_now()


def test_replay_follows_the_growing_gaps_between_news(bench, tmp_path):
    """A deploy breaks nine things in four minutes."""
    box = mailbox.mbox(tmp_path / "deploy.mbox")
    for number, second in enumerate((0, 5, 20, 45, 70, 100, 140, 180, 230)):
        text = f"From: a@example.com\nDate: Mon, 02 Mar 2026 14:{second // 60:02}:{second % 60:02} +0000\n"
        box.add(f"{text}Subject: Shop Failed\n\n{'abcdefghi'[number] * 9}Error: it broke\n")
    box.close()

    found = bench.json("replay", str(tmp_path / "deploy.mbox"))

    times = [message["created_at"][11:19] for message in found["letters"]]
    assert times == ["14:00:10", "14:00:30", "14:01:00", "14:02:00", "14:04:00"]


def test_replay_lists_what_would_have_been_sent(bench, tmp_path):
    box = mailbox.mbox(tmp_path / "old.mbox")
    for second in range(40):
        dated = mail(f"order {second} is lost", Date=f"Sun, 01 Mar 2026 12:00:{second:02} +0000")
        box.add(dated.replace(b"\r\n", b"\n"))
    box.close()

    found = bench.json("replay", str(tmp_path / "old.mbox"))

    assert found["books"]["received"] == 40
    assert found["books"]["pending"] == 0
    assert sum(message["mails"] for message in found["letters"]) == 40
    assert 1 <= len(found["letters"]) <= 3


def test_health_of_a_relay_that_does_not_run_exits_with_1(bench):
    with socket.socket() as smtp, socket.socket() as http:
        for unused, table in ((smtp, "smtp"), (http, "http")):
            unused.bind(("127.0.0.1", 0))  # no other program can use the port, and none listens on it
            listen = f'listen = "127.0.0.1:{unused.getsockname()[1]}"\n'
            bench.config.write_text(f"{bench.config.read_text()}[{table}]\n{listen}")

        result = bench.run("health", "--timeout", "1")

    assert result.exit_code == 1
    assert "no greeting" in result.output


def test_health_does_not_take_another_mail_server_for_the_relay(bench):
    other = Sink(keywords=(), ident="ESMTP Postfix").start()
    with socket.socket() as http:
        http.bind(("127.0.0.1", 0))
        tables = f'[smtp]\nlisten = "127.0.0.1:{other.port}"\n[http]\nlisten = "127.0.0.1:{http.getsockname()[1]}"\n'
        bench.config.write_text(bench.config.read_text() + tables)
        result = bench.run("health", "--timeout", "5")
    canary = bench.run("canary", "--timeout", "5")
    other.stop()

    assert result.exit_code == canary.exit_code == 1
    assert f"another mail server answers on 127.0.0.1:{other.port}: 220 sink.test ESMTP Postfix" in result.output
    assert "another mail server answers there" in canary.output
    assert not other.attempted


def test_check_of_a_valid_configuration_prints_a_summary(bench):
    result = bench.run("check")

    assert result.exit_code == 0
    assert "a local mailbox (no upstream is set)" in result.output


def test_check_of_an_invalid_configuration_says_what_and_where(bench):
    bench.config.write_text('[timing]\nintervall = "5m"\n')

    result = bench.run("check")

    assert result.exit_code == 2
    assert "relay.toml:2: [timing] intervall: there is no such setting; did you mean interval?" in result.output


def test_check_finds_a_template_that_does_not_compile(bench, tmp_path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "digest.body.txt").write_text("fine\n{% if %}\n")
    bench.config.write_text(f'templates = "{templates}"\n' + bench.config.read_text())

    result = bench.run("check")

    assert result.exit_code == 2
    assert "digest.body.txt" in result.output
    assert "2" in result.output


def test_check_finds_a_template_that_fails_on_a_digest(bench, tmp_path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "digest.body.txt").write_text("{{ nothing.of.the.kind }}\n")
    bench.config.write_text(f'templates = "{templates}"\n' + bench.config.read_text())

    result = bench.run("check")

    assert result.exit_code == 2
    assert "digest.body.txt" in result.output


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("digets.body.txt", "digets.body.txt is used by no mail; did you mean digest.body.txt?"),
        ("letter.md", "letter.md is used by no mail; the names are digest.body.html"),
    ],
)
def test_check_finds_a_template_that_no_mail_uses(bench, tmp_path, name, says):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / name).write_text("fine\n")
    (templates / "notice.body.txt").write_text('{% include "footer.txt" %}\n')
    (templates / "footer.txt").write_text("{{ title }} {{ lines }}\n")
    (templates / ".notes").write_text("hidden\n")
    bench.config.write_text(f'templates = "{templates}"\n' + bench.config.read_text())

    result = bench.run("check")

    assert result.exit_code == 0
    assert [says in line for line in result.stderr.splitlines()] == [True]


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("none.pem", "", "none.pem cannot be read: No such file or directory"),
        ("garbage.pem", "", "are no certificate and key in PEM"),
        ("cert.pem", "other.key", "cert.pem and smtp.tls_key"),
        ("cert.pem", "", "are no certificate and key in PEM"),
    ],
)
def test_check_finds_a_certificate_that_the_receiver_cannot_use(bench, tmp_path, cert, key, says):
    (tmp_path / "garbage.pem").write_text("garbage")
    authority = trustme.CA()
    authority.issue_cert("localhost").cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.issue_cert("localhost").private_key_pem.write_to_path(tmp_path / "other.key")
    keys = f'tls_key = "{tmp_path}/{key}"\n' if key else ""
    bench.config.write_text(bench.config.read_text() + f'[smtp]\ntls_cert = "{tmp_path}/{cert}"\n{keys}')

    result = bench.run("check")

    assert result.exit_code == 2
    assert "relay.toml:4: [smtp] tls_cert: " in result.stderr
    assert says in result.stderr


def test_check_accepts_a_certificate_with_its_key(bench, tmp_path):
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    bench.config.write_text(bench.config.read_text() + f'[smtp]\ntls_cert = "{tmp_path}/both.pem"\n')

    assert bench.run("check").exit_code == 0


def test_check_names_each_placeholder_but_no_password(bench, tmp_path):
    bench.config.write_text(
        'admins = ["yourname@acme.test", "ops@example.com", "ops@acme.test"]\nsender = "relay@mail.example"\n'
        '[upstream]\nhost = "smtp.your-provider.net"\nusername = "changeme"\npassword = "change-me-now"\n'
        '[http]\npassword = "secret"\n'
        f'[[route]]\nname = "shop"\nrecipients = ["shop@example.org"]\n[storage]\ndata_dir = "{tmp_path}/data"\n'
    )

    result = bench.run("check")
    places = [line.removeprefix(f"warning: {bench.config}:").split(": ")[0:2] for line in result.stderr.splitlines()]

    assert result.exit_code == 0
    assert places == [
        ["1", "admins"],
        ["1", "admins"],
        ["11", "[[route]] #1 recipients"],
        ["2", "sender"],
        ["4", "[upstream] host"],
        ["5", "[upstream] username"],
        ["6", "[upstream] password"],
        ["8", "[http] password"],
    ]
    assert "change-me-now" not in result.output
    assert "secret" not in result.output


def test_placeholders_are_fine_as_long_as_no_upstream_is_set(bench):
    """`cp .env.example .env` is the way to try it out."""
    bench.config.write_text('admins = ["yourname@example.com"]\n' + bench.config.read_text())

    assert bench.run("check").stderr == ""


def test_render_with_nothing_pending_prints_an_example_digest(bench):
    bench.enqueue_digest()

    result = bench.run("render")

    assert "this is an example digest" in result.output
    assert "Message type:       ERROR" in result.output


def test_check_finds_a_data_directory_that_is_a_file(bench, tmp_path):
    (tmp_path / "file").touch()
    bench.config.write_text(f'[storage]\ndata_dir = "{tmp_path}/file/data"\n')

    result = bench.run("check")

    assert result.exit_code == 2
    assert "is no folder" in result.output


@pytest.mark.parametrize("command", ["status", "groups", "plan", "serve"])
def test_every_command_exits_with_2_on_an_invalid_configuration(bench, command):
    bench.config.write_text("admins = 7\n")

    assert bench.run(command).exit_code == 2


def test_an_unknown_command_is_wrong_usage():
    result: Result = CliRunner().invoke(main, ["frobnicate"])

    assert result.exit_code == 2


def test_help_lists_every_command():
    listed: Callable[[str], bool] = CliRunner().invoke(main, ["--help"]).output.__contains__

    assert all(map(listed, ("serve", "receive", "work", "check", "replay", "fingerprint", "send-test", "unmute")))
