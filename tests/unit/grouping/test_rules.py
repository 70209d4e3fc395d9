"""The effect of the administrator's rules on fingerprints."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from relay.config import make_settings
from relay.grouping.fingerprint import fingerprint
from relay.grouping.rules import Rules
from relay.model import Level, Report
from relay.parse.report import parse_text
from tests.support.ingest_bench import mail


def report(message: str = "card service answered nothing", **fields) -> Report:
    from dataclasses import replace

    return replace(parse_text("App Failed", message), **fields)


@pytest.fixture
def judge(tmp_path):
    def make(*rules: dict):
        found = Rules(make_settings(tmp_path, rule=list(rules)).rule)
        return lambda report: found.judge(report, fingerprint(report))

    return make


def test_without_rules_the_fingerprint_is_unchanged(judge):
    assert judge()(report()) == (fingerprint(report()), False)


def test_a_rule_that_does_not_match_changes_nothing(judge):
    judged = judge({"name": "card", "action": "join", "message": "*no such words*"})

    assert judged(report()) == (fingerprint(report()), False)


def test_join_makes_all_matching_reports_one_error_with_the_rules_name(judge):
    judged = judge({"name": "The card service is down", "action": "join", "message": "*CARD service*"})
    one, two = judged(report("card service answered nothing")), judged(report("no answer of the card service"))

    assert fingerprint(report("card service answered nothing")).key != one.fingerprint.key
    assert one.fingerprint.key == two.fingerprint.key
    assert one.fingerprint.title == "The card service is down"


def test_split_makes_several_errors_of_one_by_a_field(judge):
    judged = judge({"name": "by host", "action": "split", "by": "host", "title": "*card*"})
    keys = {judged(report(host=host)).fingerprint.key for host in ("web-1", "web-2", "web-1")}

    assert len(keys) == 2
    assert fingerprint(report()).key not in keys


def test_split_by_level(judge):
    judged = judge({"name": "by level", "action": "split", "by": "level"})

    assert judged(report(level=Level.ERROR)).fingerprint.key != judged(report(level=Level.CRITICAL)).fingerprint.key


def test_ignore_marks_the_report_and_does_not_change_the_fingerprint(judge):
    judged = judge({"name": "bots", "action": "ignore", "app": "app*"})(report())

    assert judged.ignored
    assert judged.fingerprint.key == fingerprint(report()).key


def test_the_first_rule_that_matches_decides(judge):
    judged = judge({"name": "one", "action": "join"}, {"name": "two", "action": "ignore"})(report())

    assert (judged.fingerprint.title, judged.ignored) == ("one", False)


def test_every_condition_must_match(judge):
    judged = judge({"name": "one", "action": "ignore", "app": "app*", "logger": "payments.*"})

    assert not judged(report()).ignored
    assert judged(report(logger="payments.card")).ignored


def test_a_message_pattern_also_matches_the_trace(judge):
    trace = 'it broke\nTraceback (most recent call last):\n  File "/srv/a.py", line 1, in f\n    f()\nKeyError: 1\n'

    assert judge({"name": "one", "action": "ignore", "message": "*KeyError*"})(report(trace)).ignored


@pytest.mark.parametrize("action", ["join", "split", "ignore"])
def test_the_explanation_names_the_rule(judge, action):
    extra = {"by": "host"} if action == "split" else {}
    steps = judge({"name": "mine", "action": action, **extra})(report(host="web-1")).fingerprint.steps

    assert "rule 'mine'" in steps[-1]


def test_ignored_mails_are_counted_and_not_pending(tmp_path):
    from relay.ledger import Ledger
    from tests.support.ingest_bench import IngestBench

    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    bench = IngestBench(tmp_path, ledger, rule=[{"name": "bots", "action": "ignore", "message": "*bot*"}])
    bench.spool([mail("a bot came by"), mail("it broke")])

    bench.ingest_all()

    assert bench.books() == {"received": 2, "pending": 1, "ignored": 1}
    ledger.close()


def test_a_split_rule_without_a_field_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="by is missing"):
        make_settings(tmp_path, rule=[{"name": "one", "action": "split"}])
