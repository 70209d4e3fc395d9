"""The metrics for Prometheus: the books, the outbox, the upstream, the worker's process, the receiver's counters.

docs/monitoring.md lists them all, and a test compares the two. A name ends in `_total` if and only if it is a counter.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from relay import __version__
from relay.ledger import Ledger
from relay.model import Books
from relay.model.histogram import INGEST_BOUNDS, REPLY_BOUNDS, Histogram
from relay.web.health import Vitals

TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PLACES = ("reported", "pending", "muted", "ignored", "parked", "undelivered")
_RECEIVER_TOTALS = {
    "mails": ("mails", "Mails that the receiver answered with 250."),
    "mail_bytes": ("mail_bytes", "Bytes of these mails, as they were sent."),
    "cut": ("cut_mails", "Mails of which only the beginning and the end were stored, because they were large."),
    "counted": ("counted_mails", "Mails of which only the count was stored, because the disk was full."),
    "connections_total": ("connections", "Connections that clients opened."),
    "turned_away": ("turned_away", "Connections that were closed because there were too many."),
    "strangers": ("unknown_clients", "Connections from clients outside smtp.clients."),
    "handshakes_failed": ("handshakes_failed", "TLS handshakes that failed."),
    "timeouts": ("timeouts", "Connections that were closed because the client exceeded a time limit."),
    "surprises": ("unexpected_errors", "SMTP commands that failed because of an error in the relay."),
    "records": ("spool_records", "Records that were written to the spool."),
    "syncs": ("spool_syncs", "Syncs of the spool to the disk; one sync may cover many records."),
}
"""What the receiver counts since its start: the key in its file, the name of the metric, and its help text."""
_RECEIVER_GAUGES = {
    "connections": "SMTP connections that are open now.",
    "tasks": "Tasks in the event loop of the receiver; it grows without end if some are never finished.",
}
_REFUSED = "refused_"
_FORMER = "Former name, removed in the next release: see relay_receiver_{name}_total."


class _Collector:
    """Reads everything at each scrape."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        self._ledger, self._vitals, self._now = ledger, vitals, now

    def collect(self) -> Iterator[Metric]:
        vitals = self._vitals()
        yield _build_info()
        yield from _books(self._ledger.books(self._now()))
        yield from self._state(vitals)
        yield from _receiver(vitals)
        yield _histogram(
            "relay_ingest_seconds",
            "Time from the receipt of a mail until it was ingested into the ledger, since the worker started.",
            vitals.ingest_seconds or Histogram(INGEST_BOUNDS),
        )

    def _state(self, vitals: Vitals) -> Iterator[Metric]:
        tally, upstream = self._ledger.tally(), self._ledger.upstream(vitals.upstream)
        yield GaugeMetricFamily("relay_errors", "Errors that the ledger knows.", value=tally.groups)
        yield GaugeMetricFamily(
            "relay_errors_pending", "Errors with mails that no digest has reported yet.", value=tally.groups_pending
        )
        messages = GaugeMetricFamily("relay_letters", "Digests and notices in the outbox, by state.", labels=["state"])
        messages.add_metric(["open"], tally.messages_open)
        messages.add_metric(["dead"], tally.messages_dead)
        yield messages
        yield GaugeMetricFamily(
            "relay_upstream_failures", "Failures of the upstream in a row; 0 after a success.", value=upstream.failures
        )
        yield _time("relay_upstream_last_success", "the upstream last accepted a digest", upstream.last_success_at)
        yield GaugeMetricFamily(
            "relay_spool_unsorted_mails",
            "The backlog: mails in the spool that are not ingested into the ledger yet.",
            value=vitals.backlog,
        )
        yield GaugeMetricFamily(
            "relay_spool_damaged_bytes", "Bytes of the spool that could not be read.", value=vitals.damaged[1]
        )
        if vitals.free_bytes is not None:
            text = "Free bytes on the disk of storage.data_dir."
            yield GaugeMetricFamily("relay_disk_free_bytes", text, value=vitals.free_bytes)


def _build_info() -> Metric:
    info = GaugeMetricFamily("relay_build_info", "1; the labels are versions.", labels=["version", "python"])
    info.add_metric([__version__, platform.python_version()], 1)
    return info


def _books(books: Books) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "relay_mails_received", "Mails that were ingested into the ledger, since it was created.", value=books.received
    )
    family = GaugeMetricFamily("relay_mails", "The mails that were ingested, by what became of them.", labels=["place"])
    for place in _PLACES:
        family.add_metric([place], getattr(books, place))
    yield family
    yield GaugeMetricFamily(
        "relay_books_balanced", "1 while every mail is accounted for, else 0.", value=books.balanced
    )


def _receiver(vitals: Vitals) -> Iterator[Metric]:
    counters = vitals.receiver_counters
    for key, (name, text) in _RECEIVER_TOTALS.items():
        yield CounterMetricFamily(f"relay_receiver_{name}", text, value=counters.get(key, 0))
    for key, text in _RECEIVER_GAUGES.items():
        yield GaugeMetricFamily(f"relay_receiver_{key}", text, value=counters.get(key, 0))
    refused = CounterMetricFamily("relay_receiver_refused", "Replies of 4xx and 5xx, by reply code.", labels=["code"])
    for code, value in _refused(counters):
        refused.add_metric([code], value)
    yield refused
    yield _time("relay_receiver_last_seen", "the receiver last published its counters", vitals.receiver_seen_at)
    yield _histogram(
        "relay_receiver_reply_seconds",
        "Time from the end of a mail until its 250: the mail is on the disk then.",
        vitals.reply_seconds or Histogram(REPLY_BOUNDS),
    )
    yield from _former(counters)


def _refused(counters: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted((key.removeprefix(_REFUSED), value) for key, value in counters.items() if key.startswith(_REFUSED))


def _former(counters: Mapping[str, float]) -> Iterator[Metric]:
    """Yield the counters that were gauges without `_total` in the release before, for dashboards that use them."""
    for key, (name, _) in _RECEIVER_TOTALS.items():
        if key in counters and not key.endswith("_total"):
            yield GaugeMetricFamily(f"relay_receiver_{key}", _FORMER.format(name=name), value=counters[key])
    for code, value in _refused(counters):
        yield GaugeMetricFamily(f"relay_receiver_refused_{code}", _FORMER.format(name="refused"), value=value)


def _time(name: str, what: str, at: datetime | None) -> Metric:
    text = f"When {what}, in seconds since 1970; 0 if it never did."
    return GaugeMetricFamily(f"{name}_timestamp_seconds", text, value=at.timestamp() if at else 0)


def _histogram(name: str, text: str, found: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=found.cumulative(), sum_value=found.sum)


class Metrics:
    """Renders the page `/metrics`."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        """Read from `ledger` and `vitals` at each call of `text`."""
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(ledger, vitals, now))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
