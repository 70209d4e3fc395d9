"""Splits by a field: one error becomes several, with keys that stay the same under later fingerprint versions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.grouping.rules import Rules, value_of
from relay.grouping.splits import Splits
from relay.grouping.versions import Versions
from relay.model import Action, Fingerprint, Form, GroupingRule, Level, Report, SplitRule, split_field

AT = datetime(2026, 3, 1, tzinfo=UTC)
NO_RULES = Rules(())


def report(**fields) -> Report:
    return Report(
        form=Form.DOCUMENTED, subject="Failed", sender="a@example.com", **{"app": "shop", "message": "a b"} | fields
    )


def method(version: int):
    return lambda _report: Fingerprint(version=version, key=f"v{version}", title="it broke")


OLD = Versions(current=method(1), number=1)
NEW = Versions(current=method(2), number=2, former={1: method(1)})


def rule(field: str = "host", *, fingerprint: str = "v1", version: int = 1, app: str = "shop") -> SplitRule:
    return SplitRule(
        route="admins", app=app, fingerprint=fingerprint, version=version, title="it broke", field=field, group_id=3,
        author="anna", reason="two clusters", at=AT,
    )  # fmt: skip


def test_reports_with_another_value_are_another_error():
    splits = Splits([rule()], NO_RULES, OLD)

    one, same, other = (splits.judge(report(host=host), method(1)(None)) for host in ("web1", "web1", "web2"))

    assert one.fingerprint.key == same.fingerprint.key != other.fingerprint.key
    assert one.fingerprint.title == "it broke (host web1)"
    assert one.fingerprint.steps == ("split by host, here 'web1', by anna (error 3): two clusters",)


def test_report_of_another_app_or_error_is_not_split():
    splits = Splits([rule()], NO_RULES, OLD)

    assert splits.judge(report(app="billing"), method(1)(None)).rule is None
    assert splits.judge(report(), Fingerprint(version=1, key="other", title="x")).rule is None


def test_parts_keep_their_keys_under_a_later_version():
    before = Splits([rule()], NO_RULES, OLD).judge(report(host="web1"), method(1)(None))
    after = Splits([rule()], NO_RULES, NEW).judge(report(host="web1"), method(2)(None))

    assert after.fingerprint.key == before.fingerprint.key


def test_rule_of_a_version_that_is_no_longer_known_splits_nothing():
    newest = Versions(current=method(2), number=2)

    assert Splits([rule()], NO_RULES, newest).judge(report(), method(2)(None)).rule is None


def test_part_of_a_split_error_can_be_split_again():
    first = Splits([rule()], NO_RULES, OLD).judge(report(host="web1"), method(1)(None)).fingerprint
    splits = Splits([rule(), rule("level", fingerprint=first.key)], NO_RULES, OLD)

    one = splits.judge(report(host="web1", level=Level.ERROR), method(1)(None)).fingerprint
    other = splits.judge(report(host="web1", level=Level.CRITICAL), method(1)(None)).fingerprint

    assert len({first.key, one.key, other.key}) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "web1"),
        ("level", "ERROR"),
        ("word:3", "anna"),
        ("word:9", ""),
        ("path", "/cart"),
        ("endpoint", "shop.cart"),
        ("release", ""),
    ],
)
def test_value_of_each_kind_of_field(field, value):
    request = (("Request", "GET https://shop.example/cart?item=3"), ("Endpoint", "shop.cart"))
    found = report(host="web1", level=Level.ERROR, message="mailbox of anna overflows", request=request)

    assert value_of(found, split_field(field)) == value


@pytest.mark.parametrize("field", ["colour", "word:0", "word:x", "", "app"])
def test_unknown_field_is_refused(field):
    with pytest.raises(ValueError, match="no field to split by"):
        split_field(field)


def test_rule_of_the_configuration_matches_fingerprints():
    rules = Rules([GroupingRule(name="One", action=Action.JOIN, fingerprint=("v1", "v9"))])

    assert rules.judge(report(), method(1)(None)).fingerprint.title == "One"
    assert rules.judge(report(), method(2)(None)).fingerprint.title == "it broke"
