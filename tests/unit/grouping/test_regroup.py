"""The effect of a new version or of new rules on known errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.config import make_settings
from relay.grouping.fingerprint import VERSION, fingerprint
from relay.grouping.regroup import Fate, KnownError, Move, moves
from relay.grouping.rules import Rules
from relay.grouping.versions import Versions
from relay.ingest.versions import VERSIONS
from relay.model import Fingerprint, Form, Group, Level, Report

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def report(message: str, host: str = "") -> Report:
    return Report(form=Form.PLAIN, subject="Failed", sender="", app="shop", message=message, host=host)


def known(number: int, *messages: str, route: str = "admins", version: int = VERSION) -> KnownError:
    """A group of the current version with samples of these messages, newest first."""
    samples = [report(message, host=f"web-{place}") for place, message in enumerate(messages)]
    found = fingerprint(samples[0]) if samples else Fingerprint(version=version, key="gone", title="gone")
    group = Group(
        id=number,
        route=route,
        app="shop",
        fingerprint=found.key,
        version=version,
        title=found.title,
        level=Level.ERROR,
        first_seen=NOON,
        last_seen=NOON,
    )
    return KnownError(group=group, samples=samples)


def second(key: Callable[[Report], str], former: dict[int, Callable[[Report], Fingerprint]] | None = None) -> Versions:
    def method(report: Report) -> Fingerprint:
        return Fingerprint(version=VERSION + 1, key=key(report), title=f"second: {report.message}")

    return Versions(current=method, number=VERSION + 1, former={VERSION: fingerprint} if former is None else former)


def rules(tmp_path, *tables: dict[str, str]) -> Rules:
    return Rules(make_settings(tmp_path, rule=list(tables)).rule)


NO_RULES = Rules(())


def fates(found: list[Move]) -> list[tuple[int, str, tuple[int, ...]]]:
    return [(move.group.id, move.fate.value, move.joins) for move in found]


def test_without_changes_no_group_moves():
    assert moves([known(1, "order 1 is lost"), known(2, "the disk is full")], NO_RULES, VERSIONS) == []


def test_an_error_without_a_sample_is_left_out():
    assert moves([known(1)], NO_RULES, VERSIONS) == []


def test_a_new_version_carries_over_an_error_that_stays_the_same():
    versions = second(lambda report: f"second {fingerprint(report).key}")

    [move] = moves([known(1, "order 2 is lost", "order 1 is lost")], NO_RULES, versions)

    assert (move.fate, move.becomes, move.joins, move.parts) == (Fate.CARRIED, "second: order 2 is lost", (), ())


@pytest.mark.parametrize(
    ("former", "version"),
    [({}, VERSION), ({VERSION: lambda _: Fingerprint(version=1, key="x", title="x")}, VERSION), (None, VERSION - 1)],
    ids=["no former version", "another key", "an older group"],
)
def test_a_group_that_no_former_version_finds_is_replaced_by_a_new_one(former, version):
    versions = second(lambda report: f"second {fingerprint(report).key}", former)

    assert fates(moves([known(1, "order 1 is lost", version=version)], NO_RULES, versions)) == [(1, "a new group", ())]


def test_errors_with_the_same_new_key_are_joined():
    found = moves([known(1, "order 1 is lost"), known(2, "the disk is full")], NO_RULES, second(lambda _: "one"))

    assert fates(found) == [(1, "joined", (2,)), (2, "joined", (1,))]


def test_errors_of_two_routes_are_never_joined():
    errors = [known(1, "order 1 is lost"), known(2, "the disk is full", route="ops")]

    assert fates(moves(errors, NO_RULES, second(lambda _: "one"))) == [(1, "carried over", ()), (2, "carried over", ())]


def test_an_error_whose_samples_have_different_keys_is_split():
    [move] = moves([known(1, "order 2 is lost", "order 1 is lost")], NO_RULES, second(lambda report: report.message))

    assert (move.fate, move.parts) == (Fate.SPLIT, ("second: order 2 is lost", "second: order 1 is lost"))


def test_rules_join_split_and_ignore(tmp_path):
    table = rules(
        tmp_path,
        {"name": "Printer", "action": "join", "message": "*printer*"},
        {"name": "Disks apart", "action": "split", "by": "host", "message": "*disk*"},
        {"name": "Bots", "action": "ignore", "message": "*wp-login*"},
    )
    errors = [
        known(1, "the printer burns"),
        known(2, "the printer is wet"),
        known(3, "the disk is full", "the disk is full"),
        known(4, "GET /wp-login.php"),
        known(5, "order 1 is lost"),
    ]

    found = moves(errors, table, VERSIONS)

    assert fates(found) == [(1, "joined", (2,)), (2, "joined", (1,)), (3, "split", ()), (4, "ignored", ())]
    assert [move.becomes for move in found] == ["Printer", "Printer", "the disk is full", "ignored"]


def test_an_error_with_a_new_key_from_a_rule_gets_a_new_group(tmp_path):
    table = rules(tmp_path, {"name": "Printer", "action": "join", "message": "*printer*"})

    assert fates(moves([known(1, "the printer burns")], table, VERSIONS)) == [(1, "a new group", ())]


def test_a_new_version_does_not_change_what_a_rule_has_joined(tmp_path):
    table = rules(tmp_path, {"name": "Printer", "action": "join", "message": "*printer*"})
    joined = known(1, "the printer burns")
    key = table.judge(joined.samples[0], fingerprint(joined.samples[0])).fingerprint.key

    assert moves([replace(joined, group=replace(joined.group, fingerprint=key))], table, second(lambda _: "one")) == []
