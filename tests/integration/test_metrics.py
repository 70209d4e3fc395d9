"""The metrics, and what docs/ builds on them: alert rules, a dashboard, a page that lists them."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from relay import __version__
from relay.ledger import Ledger
from relay.model.histogram import INGEST_BOUNDS, REPLY_BOUNDS, Histogram
from relay.web import Vitals
from relay.web.metrics import Metrics
from tests.support.ingest_bench import IngestBench, mail
from tests.support.paths import DOCS

NOW = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
COUNTERS = {
    **dict.fromkeys(("mails", "mail_bytes", "cut", "counted", "connections", "connections_total", "turned_away"), 3.0),
    **dict.fromkeys(("strangers", "handshakes_failed", "timeouts", "surprises", "records", "syncs", "tasks"), 4.0),
    "refused_554": 5.0,
    "refused_451": 2.0,
}
ALERTS = DOCS / "prometheus-alerts.yml"
DASHBOARD = DOCS / "grafana-dashboard.json"
PAGE = DOCS / "monitoring.md"
SUFFIXES = ("_total", "_bucket", "_sum", "_count")
NAME = re.compile(r"\b(?:relay|process)_[a-z0-9_]+\b")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


ALERT_STORIES = {
    "RelayDown": ({'up{job="error-mail-relay"}': "1 1 0x20", 'up{job="another"}': "0x20"}, 3, 6),
    "RelayReceiverSilent": ({"relay_receiver_last_seen_timestamp_seconds": "0 60 60x20"}, 1, 5),
    "RelayBooksDoNotBalance": ({"relay_books_balanced": "1 1 1 0x20"}, 2, 6),
    "RelayUpstreamFails": ({"relay_upstream_failures": "0 1 2 3 4x20"}, 6, 12),
    "RelayDeadLetters": ({'relay_letters{state="dead"}': "0 0 1x9", 'relay_letters{state="open"}': "5x9"}, 1, 3),
    "RelayBacklogGrows": ({"relay_spool_unsorted_mails": "0+200x60"}, 10, 30),
    "RelayDiskFillsUp": ({"relay_disk_free_bytes": "1073741824 1073741824 1000000x20"}, 3, 9),
    "RelayMailsOnlyCounted": ({"relay_receiver_counted_mails_total": "0 0 0 5x20"}, 2, 5),
    "RelayRefusesMail": ({f'relay_receiver_refused_total{{code="{code}"}}': "0 0 0 5x20" for code in (452, 451)}, 2, 5),
    "RelayRepliesSlowly": (
        {
            f'relay_receiver_reply_seconds_bucket{{le="{le}"}}': f"0+{n}x60"
            for le, n in (("1", 90), ("2.5", 100), ("+Inf", 100))
        },
        0,
        30,
    ),
}
"""For each alert: series, a minute at which it does not fire yet, and one at which it fires."""


@pytest.fixture
def exposed(tmp_path) -> str:
    """The page `/metrics` over a real ledger."""
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    reply, ingest = Histogram(REPLY_BOUNDS), Histogram(INGEST_BOUNDS)
    for seconds in (0.0004, 0.002, 0.002, 20):
        reply.observe(seconds)
    vitals = Vitals(
        idle_seconds={},
        longest_delivery=1.0,
        backlog=2,
        receiver_seen_at=NOW,
        receiver_counters=COUNTERS,
        reply_seconds=reply,
        ingest_seconds=ingest,
        free_bytes=1 << 30,
    )
    try:
        return Metrics(ledger, lambda: vitals, lambda: NOW).text().decode()
    finally:
        ledger.close()


def types(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^# TYPE (\S+) (\w+)$", text))


def samples(text: str) -> dict[str, float]:
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def family(name: str, known: dict[str, str]) -> str:
    """The metric of a sample: `x_seconds` for `x_seconds_bucket`."""
    return next((name.removesuffix(end) for end in SUFFIXES if name.removesuffix(end) in known), name)


def test_counters_end_in_total_and_nothing_else_does(exposed):
    wrong = {name: kind for name, kind in types(exposed).items() if (kind == "counter") != name.endswith("_total")}

    assert wrong == {}
    assert types(exposed)["relay_receiver_mails_total"] == "counter"


def test_every_metric_has_a_help_text_that_says_more_than_its_name(exposed):
    texts = dict(re.findall(r"(?m)^# HELP (\S+) (.*)$", exposed))

    assert set(texts) == set(types(exposed))
    for name, text in texts.items():
        assert len(text.split()) >= 4, name
        assert text.endswith(".") or name.startswith("process_"), name


def test_versions_are_exposed(exposed):
    assert re.search(rf'relay_build_info{{python="3\.[\d.]+",version="{re.escape(__version__)}"}} 1', exposed)


def test_time_to_250_is_a_histogram(exposed):
    found = samples(exposed)

    assert types(exposed)["relay_receiver_reply_seconds"] == "histogram"
    assert found['relay_receiver_reply_seconds_bucket{le="0.001"}'] == 1
    assert found['relay_receiver_reply_seconds_bucket{le="0.0025"}'] == 3
    assert found['relay_receiver_reply_seconds_bucket{le="10"}'] == 3
    assert found['relay_receiver_reply_seconds_bucket{le="+Inf"}'] == found["relay_receiver_reply_seconds_count"] == 4
    assert found["relay_receiver_reply_seconds_sum"] == pytest.approx(20.0044)


def test_refusals_are_one_counter_with_the_code_as_its_label(exposed):
    assert 'relay_receiver_refused_total{code="451"} 2.0' in exposed
    assert 'relay_receiver_refused_total{code="554"} 5.0' in exposed


@pytest.mark.parametrize(
    "former", ["mails", "mail_bytes", "cut", "counted", "strangers", "surprises", "records", "syncs", "refused_554"]
)
def test_former_names_stay_for_one_release(exposed, former):
    assert types(exposed)[f"relay_receiver_{former}"] == "gauge"
    assert samples(exposed)[f"relay_receiver_{former}"] == COUNTERS[former]


def test_time_to_ingest_counts_from_the_receipt_of_each_mail(tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    bench = IngestBench(tmp_path, ledger)
    bench.spool([mail()] * 3, at=NOW)
    worker = bench.worker()

    assert worker.step(NOW + timedelta(seconds=40))
    ledger.close()

    assert worker.seconds.counts[INGEST_BOUNDS.index(60.0)] == 3
    assert worker.seconds.sum >= 120


def test_a_clock_that_was_set_back_counts_as_no_time():
    found = Histogram((1.0,))
    found.observe(-5)

    assert (found.counts, found.sum) == ([1, 0], 0)


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_metrics(exposed):
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=exposed, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_promtool
def test_promtool_accepts_the_alert_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint-fatal", str(ALERTS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_before(tmp_path):
    """`promtool test rules` evaluates the rules on made-up series, one value a minute."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [fires(alert, quiet_at, 0), fires(alert, fires_at, 1)],
        }
        for alert, (series, quiet_at, fires_at) in ALERT_STORIES.items()
    ]
    stories = tmp_path / "stories.yml"
    stories.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))

    done = subprocess.run(
        ["promtool", "test", "rules", str(stories)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert set(ALERT_STORIES) == {rule["alert"] for rule in rules}


def fires(alert: str, minute: int, times: int) -> dict:
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": times}]}


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD], ids=lambda file: file.name)
def test_every_metric_that_rules_and_dashboard_use_exists(exposed, file):
    known = types(exposed)
    used = set(NAME.findall(file.read_text()))

    assert used
    assert {name for name in used if family(name, known) not in known} == set()


def test_rules_and_dashboard_use_no_former_name():
    former = {f"relay_receiver_{key}" for key in COUNTERS} - {"relay_receiver_connections", "relay_receiver_tasks"}

    for file in (ALERTS, DASHBOARD):
        assert set(NAME.findall(file.read_text())) & (former - {"relay_receiver_connections_total"}) == set()


def test_dashboard_is_complete():
    board = json.loads(DASHBOARD.read_text())

    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in board["panels"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"])


def test_page_lists_every_metric_with_its_type_and_no_other(exposed):
    listed = dict(re.findall(r"(?m)^\| `(relay_\w+)` \| (\w+) \|", PAGE.read_text()))
    texts = dict(re.findall(r"(?m)^# HELP (\S+) (.*)$", exposed))
    current = {name for name, text in texts.items() if name.startswith("relay_") and "Former name" not in text}

    assert listed == {name: kind for name, kind in types(exposed).items() if name in current}
