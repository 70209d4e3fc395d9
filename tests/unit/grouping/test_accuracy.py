"""Accuracy of the grouping on errors that its rules were not developed with (tests/data/grouping)."""

from collections import defaultdict

import pytest

from tests.support.grouping import FILES, Scored

SPLIT = {
    "own.jsonl": {"reminder.timeout"},
    "wide.jsonl": {
        "bakery.deliver", "choir.sing", "choir.sing.type", "choir.sing.msg", "choir.sing.func",
        "alert.chat.flood", "alert.chat.flood.msg", "alert.sys.sudo", "alert.sys.sudo.msg", "alert.sys.cron.msg",
        "alert.quoted", "alert.quoted.msg",
        "alert.later.s3", "alert.later.french.site", "alert.later.mqtt", "alert.later.mqtt.msg",
    },
    "further.jsonl": {
        "amanda", "amanda.msg", "apticron", "apticron.msg", "archive.scale.func", "archive.walk.type",
        "atlas.scale.func", "backupninja", "bacula", "bacula.msg", "bindery.fold", "bindery.fold.func",
        "bindery.fold.type", "book.double", "book.double.msg", "cron.borgstats", "dict.app", "dict.app.msg",
        "fail2ban.mail", "feature", "feature.exp", "foundry.weigh.enum",
        "kiln.fire.key", "lantern.light", "lantern.light.func", "lantern.light.msg", "monit.mem", "monit.mem.msg",
        "payments.digest", "perl.catalyst", "perl.catalyst.func", "php.fatal", "php.fatal.func", "php.fatal.msg",
        "php.fatal.type", "portuguese", "portuguese.msg", "r.error", "r.error.func", "r.error.msg", "rust.anyhow",
        "rust.anyhow.cause", "rust.anyhow.msg", "unattended.up",
    },
    "later.jsonl": {
        "auth.otp", "auth.otp.msg", "kopia", "kopia.msg", "postgres.pgbouncer", "postgres.pgbouncer.msg", "sssd",
        "sssd.msg",
    },
}  # fmt: skip
"""Errors that are split into several groups. The README beside the data says why no rule is made for them."""

MERGED = {
    "further.jsonl": [
        {"nginx.limit", "nginx.limit.zone"}, {"php.magento", "php.magento.msg"}, {"tomcat", "tomcat.msg"},
    ],
}  # fmt: skip
"""Near misses that are grouped as one error."""

LEAST = {
    "own.jsonl": (0.989, 0.983, 0.97),
    "wide.jsonl": (0.985, 0.96, 0.915),
    "further.jsonl": (0.957, 0.905, 0.80),
    "later.jsonl": (0.957, 0.915, 0.80),
}
"""The least F1, GA and FGA of each file."""


@pytest.fixture(scope="module", params=FILES)
def scored(request):
    return Scored(request.param)


def test_there_are_a_hundred_mails_of_fifteen_programs(scored):
    assert len(scored.mails) >= 100
    assert len({mail["label"].partition(".")[0] for mail in scored.mails}) >= 15


def test_errors_of_unknown_programs_are_grouped_with_the_required_accuracy(scored):
    f1, accuracy, of_groups = LEAST[scored.name]

    assert scored.f1() >= f1
    assert scored.grouping_accuracy() >= accuracy
    assert scored.group_accuracy() >= of_groups


def test_only_the_listed_errors_are_split(scored):
    found = defaultdict(set)
    for mail in scored.mails:
        found[mail["label"]].add(scored.keys[mail["id"]])

    assert {label for label, keys in found.items() if len(keys) > 1} == SPLIT[scored.name]


def test_only_the_listed_errors_share_a_fingerprint(scored):
    labels = defaultdict(set)
    for mail in scored.mails:
        labels[scored.keys[mail["id"]]].add(mail["label"])

    assert [found for found in labels.values() if len(found) > 1] == MERGED.get(scored.name, [])
