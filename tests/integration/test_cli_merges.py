"""`merge`, `unmerge`, `similar`, `audit` on a real ledger, and what `show`, `explain` and the digest say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.clock import utc_now
from relay.compose.message import text_part
from relay.config import load
from relay.digest import Digests
from relay.ledger import Ledger, Outcome
from relay.model import Action
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import IngestBench, mail
from tests.support.merging import kept_apart

MAILS = ["mailbox of anna overflows", "mailbox of robert overflows", "the printer burns"]


@dataclass
class Bench:
    """A ledger with one mail of each of three errors, and the commands on it."""

    ingest: IngestBench
    config: Path

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [*arguments, "--config", str(self.config)])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def json(self, *arguments: str):
        return json.loads(self.run(*arguments, "--json").stdout)

    def id_of(self, title: str) -> int:
        [found] = [group["id"] for group in self.json("groups") if title in group["title"]]
        return found

    def mails_come(self, *texts: str) -> None:
        self.ingest.spool([mail(text) for text in texts], at=utc_now())
        self.ingest.ingest_all(utc_now())

    def digest_text(self, *, later: timedelta = timedelta(seconds=11)) -> str:
        digests = Digests(self.ingest.ledger, make_renderer(self.ingest.settings), self.ingest.settings, "test")
        assert digests.step(utc_now() + later)
        ledger = self.ingest.ledger
        raw = ledger.raw(ledger.messages()[0].id)
        assert raw
        message = ledger.claim_message("test", utc_now() + later, timedelta(minutes=1))
        assert message
        sent = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
        ledger.settle(message, sent, utc_now() + later)
        return " ".join(text_part(raw).split())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "relay.toml"
    config.write_text(f'[storage]\ndata_dir = "{tmp_path}/data"\n')
    ledger = Ledger.open(f"sqlite:///{tmp_path}/data/ledger.db")
    found = Bench(IngestBench(tmp_path / "data", ledger), config)
    found.mails_come(*MAILS)
    yield found
    ledger.close()


def test_merge_makes_errors_one_also_for_the_next_mail(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))

    said = bench.run(
        "merge", anna, robert, "--name", "A mailbox overflows", "--reason", "same cause", "--author", "eve"
    )
    bench.mails_come(MAILS[1])

    assert "merged mailbox of robert overflows" in said.output
    assert {group["title"]: group["occurrences"] for group in bench.json("groups")} == {
        "A mailbox overflows": 3,
        "the printer burns": 1,
    }


def test_unmerge_gives_back_title_and_counts(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))
    bench.run("merge", anna, robert, "--name", "A mailbox overflows")
    bench.mails_come(MAILS[1], MAILS[1], MAILS[0])

    said = bench.run("unmerge", robert)

    assert "took mailbox of robert overflows" in said.output
    found = {group["title"]: group["occurrences"] for group in bench.json("groups")}
    assert found == {MAILS[0]: 2, MAILS[1]: 3, MAILS[2]: 1}
    assert bench.json("status")["balanced"]


def test_unmerge_of_the_face_takes_all_parts_out(bench):
    ids = [str(bench.id_of(word)) for word in ("anna", "robert", "printer")]
    bench.run("merge", *ids)

    bench.run("unmerge", ids[0])

    assert len(bench.json("groups")) == 3
    assert kept_apart(bench.ingest.ledger) == {int(each) for each in ids}


def test_show_and_explain_say_who_merged_it_and_why_for_a_part_too(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))
    bench.run("merge", anna, robert, "--reason", "same cause", "--author", "eve")

    for command in (("show", anna), ("show", robert), ("explain", anna), ("explain", robert)):
        shown = bench.run(*command).output
        assert "Merged from 2 errors:" in shown
        assert f"  {robert}  {MAILS[1]}" in shown
        assert "merged by eve at" in shown
        assert "same cause" in shown
    assert [member["into"] for member in bench.json("show", robert)["members"]] == [None, int(anna)]


def test_next_digest_says_once_who_merged_what_and_why(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))
    bench.run("merge", anna, robert, "--reason", "same cause", "--author", "eve")

    text = bench.digest_text()
    bench.mails_come(MAILS[0], "the disk is full")
    next_text = bench.digest_text(later=timedelta(hours=1))

    assert f"eve merged mailbox of robert overflows (ID {robert}) into mailbox of anna overflows (ID {anna}) at" in text
    assert "same cause." in text
    assert "the disk is full" in next_text
    assert "eve merged" not in next_text


def test_second_person_sees_what_the_first_one_did(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))
    bench.run("mute", robert, "--for", "2h", "--author", "eve", "--reason", "known")

    said = bench.run("merge", anna, robert, "--author", "bob")
    again = bench.run("merge", robert, anna, "--author", "carol", code=1)

    assert "eve muted mailbox of robert overflows" in said.stderr
    assert "known" in said.stderr
    assert f"these are one error already, {anna}: merged by bob" in again.output


def test_audit_shows_all_actions_and_exports_json_lines(bench):
    anna, robert, printer = (str(bench.id_of(word)) for word in ("anna", "robert", "printer"))
    bench.run("merge", anna, robert, "--reason", "same cause", "--author", "eve")
    bench.run("mute", printer, "--above", "50/h", "--author", "bob")
    bench.run("unmerge", robert, "--author", "carol")

    lines = [json.loads(line) for line in bench.run("audit", "--json").stdout.splitlines()]

    assert [(line["author"], line["action"], line["reason"]) for line in lines] == [
        ("eve", "merge", "same cause"),
        ("bob", "mute", ""),
        ("carol", "unmerge", ""),
    ]
    assert lines[0]["details"] == {"face": int(anna), "merged": [int(robert)], "name": ""}
    assert "took mailbox of robert overflows" in bench.run("audit").output
    about = bench.run("audit", "--error", robert).output
    assert "merged" in about
    assert "printer" not in about


def test_similar_lists_errors_with_the_words_that_differ(bench):
    anna, robert = str(bench.id_of("anna")), str(bench.id_of("robert"))

    [found] = bench.json("similar", anna)

    assert (found["group"]["id"], found["difference"]) == (int(robert), "'anna' / 'robert'")
    assert len(bench.json("groups")) == 3
    assert "'anna' / 'robert'" in bench.run("similar", anna).output
    assert bench.run("similar", str(bench.id_of("printer"))).output == "No error is nearly the same.\n"


def test_regroup_takes_each_part_by_itself(bench):
    bench.run("merge", str(bench.id_of("anna")), str(bench.id_of("robert")))

    assert "Nothing would change" in bench.run("regroup", "--dry-run").output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("merge", "1"), 2, "at least two errors"),
        (("merge", "1", "1"), 1, "at least two different errors"),
        (("merge", "1", "99"), 1, "there is no error 99"),
        (("unmerge", "1"), 1, "not merged with another one"),
        (("unmerge", "99"), 1, "there is no error 99"),
        (("similar", "99"), 1, "there is no error 99"),
        (("show", "99"), 1, "there is no error 99"),
        (("unmute", "99"), 1, "there is no error 99"),
    ],
)
def test_what_cannot_be_done_is_said(bench, arguments, code, message):
    assert message in " ".join(bench.run(*arguments, code=code).output.split())


# --- Splits -----------------------------------------------------------------------------------------------------------


def hosts(*names: str) -> list[bytes]:
    return [of_host(name) for name in names]


def of_host(name: str) -> bytes:
    return mail(f"Jan 04 20:33:58 {name} backup[{len(name)}]: the disk is full")


def test_split_makes_an_error_of_each_host_from_the_next_mail_on(bench):
    bench.ingest.spool(hosts("web1", "web2"), at=utc_now())
    bench.ingest.ingest_all(utc_now())
    disk = str(bench.id_of("the disk is full"))

    said = bench.run("split", disk, "--by", "host", "--reason", "two clusters", "--author", "eve")
    bench.ingest.spool(hosts("web1", "web2", "web2"), at=utc_now())
    bench.ingest.ingest_all(utc_now() + timedelta(seconds=2))

    found = {group["title"]: group["occurrences"] for group in bench.json("groups") if "disk" in group["title"]}
    assert found == {"the disk is full": 2, "the disk is full (host web1)": 1, "the disk is full (host web2)": 2}
    assert "Each host is an error of its own" in said.output
    assert "split by host" in bench.run("explain", disk).output
    assert "eve split the disk is full" in bench.run("show", disk).output
    assert "eve split the disk is full" in bench.digest_text()
    assert "Nothing would change" not in bench.run("regroup", "--dry-run").output  # the samples of the error itself
    again = bench.run("split", disk, "--by", "level", code=1).output
    assert "is split by host already, by eve: two clusters" in again


def test_unsplit_makes_future_mails_one_error_again(bench):
    bench.ingest.spool(hosts("web1"), at=utc_now())
    bench.ingest.ingest_all(utc_now())
    disk = str(bench.id_of("the disk is full"))
    bench.run("split", disk, "--by", "host")
    bench.ingest.spool(hosts("web1"), at=utc_now())
    bench.ingest.ingest_all(utc_now() + timedelta(seconds=2))

    said = bench.run("unsplit", disk)
    bench.ingest.spool(hosts("web1", "web2"), at=utc_now())
    bench.ingest.ingest_all(utc_now() + timedelta(seconds=4))

    found = {group["title"]: group["occurrences"] for group in bench.json("groups") if "disk" in group["title"]}
    assert found == {"the disk is full": 3, "the disk is full (host web1)": 1}
    assert "ended the split" in said.output
    assert bench.json("status")["balanced"]


def test_rules_are_listed_and_exported_for_the_configuration(bench):
    anna, robert, printer = (str(bench.id_of(word)) for word in ("anna", "robert", "printer"))
    bench.run("merge", anna, robert, "--reason", "same\ncause", "--author", "eve")
    bench.run("split", printer, "--by", "word:2", "--author", "bob")

    listed = bench.run("rules", "list").output
    exported = bench.run("rules", "export").output
    data = bench.json("rules", "list")

    assert f"merged into {anna}" in listed
    assert "split by word:2" in listed
    assert (len(data["merged"]), len(data["splits"])) == (1, 1)
    assert "# eve, " in exported
    bench.config.write_text(bench.config.read_text() + exported)
    join, split = load(bench.config, {}).settings.rule
    assert (join.action, len(join.fingerprint)) == (Action.JOIN, 2)
    assert (split.action, split.by) == (Action.SPLIT, "word:2")
    bench.mails_come(*MAILS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("split", "99", "--by", "host"), 1, "there is no error 99"),
        (("split", "1", "--by", "colour"), 2, "no field to split by"),
        (("split", "1"), 2, "Missing option '--by'"),
        (("unsplit", "1"), 1, "is not split"),
    ],
)
def test_split_that_cannot_be_done_is_refused(bench, arguments, code, message):
    assert message in " ".join(bench.run(*arguments, code=code).output.split())


def test_merged_error_is_taken_apart_before_it_is_split(bench):
    anna = str(bench.id_of("anna"))
    bench.run("merge", anna, str(bench.id_of("robert")))

    assert "take it out with `relay unmerge` first" in bench.run("split", anna, "--by", "host", code=1).output
