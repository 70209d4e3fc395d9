"""The metrics for Prometheus: the books, the outbox, the upstream, the receiver's own counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from relay.ledger import Ledger
from relay.web.health import Vitals

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    """Reads everything at each scrape."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        self._ledger, self._vitals, self._now = ledger, vitals, now

    def collect(self) -> Iterator[Metric]:
        yield from self._books()
        yield from self._state()
        for name, value in sorted(self._vitals().receiver_counters.items()):
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"relay_receiver_{name.removesuffix('_total')}", f"The receiver's {name}.", value=value)

    def _books(self) -> Iterator[Metric]:
        books = self._ledger.books(self._now())
        yield CounterMetricFamily("relay_mails_received", "Mails ingested into the ledger.", value=books.received)
        family = GaugeMetricFamily("relay_mails", "Where the received mails are.", labels=["place"])
        for place in ("reported", "pending", "muted", "ignored", "parked", "undelivered"):
            family.add_metric([place], getattr(books, place))
        yield family
        yield GaugeMetricFamily("relay_books_balanced", "1 while every mail is accounted for.", value=books.balanced)

    def _state(self) -> Iterator[Metric]:
        tally, upstream, vitals = self._ledger.tally(), self._ledger.upstream(), self._vitals()
        yield GaugeMetricFamily("relay_errors", "Known errors.", value=tally.groups)
        yield GaugeMetricFamily("relay_errors_pending", "Errors with pending mails.", value=tally.groups_pending)
        messages = GaugeMetricFamily("relay_letters", "Messages in the outbox.", labels=["state"])
        messages.add_metric(["open"], tally.messages_open)
        messages.add_metric(["dead"], tally.messages_dead)
        yield messages
        yield GaugeMetricFamily("relay_upstream_failures", "Consecutive upstream failures.", value=upstream.failures)
        yield GaugeMetricFamily(
            "relay_spool_unsorted_mails", "Mails in the spool that are not ingested yet.", value=vitals.backlog
        )


class Metrics:
    """Renders the page `/metrics`."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        """Read from `ledger` and `vitals` at each call of `text`."""
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(ledger, vitals, now))

    def text(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
