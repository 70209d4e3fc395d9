"""The numbers for Prometheus: the books, the outbox, the upstream, the receiver's own counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from relay.ledger import Ledger
from relay.web.health import Vitals

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    """Reads everything anew at each scrape."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        self._ledger, self._vitals, self._now = ledger, vitals, now

    def collect(self) -> Iterator[Metric]:
        yield from self._books()
        yield from self._state()
        for name, value in sorted(self._vitals().receiver.items()):
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"relay_receiver_{name.removesuffix('_total')}", f"The receiver's {name}.", value=value)

    def _books(self) -> Iterator[Metric]:
        books = self._ledger.books(self._now())
        yield CounterMetricFamily("relay_mails_received", "Mails sorted into the ledger.", value=books.received)
        family = GaugeMetricFamily("relay_mails", "Where the received mails are.", labels=["place"])
        for place in ("reported", "pending", "muted", "ignored", "parked", "undelivered"):
            family.add_metric([place], getattr(books, place))
        yield family
        yield GaugeMetricFamily("relay_books_balanced", "1 while every mail is accounted for.", value=books.balanced)

    def _state(self) -> Iterator[Metric]:
        tally, upstream, vitals = self._ledger.tally(), self._ledger.upstream(), self._vitals()
        yield GaugeMetricFamily("relay_errors", "Errors known.", value=tally.groups)
        yield GaugeMetricFamily(
            "relay_errors_pending", "Errors with mails that no digest holds.", value=tally.groups_pending
        )
        letters = GaugeMetricFamily("relay_letters", "Letters in the outbox.", labels=["state"])
        letters.add_metric(["open"], tally.messages_open)
        letters.add_metric(["dead"], tally.messages_dead)
        yield letters
        yield GaugeMetricFamily("relay_upstream_failures", "Failures in a row.", value=upstream.failures)
        yield GaugeMetricFamily(
            "relay_spool_unsorted_mails", "Mails in the spool not sorted yet.", value=vitals.unsorted
        )


class Metrics:
    """Renders the page."""

    def __init__(self, ledger: Ledger, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> None:
        """Read from `ledger` and `vitals` at each call of `text`."""
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(ledger, vitals, now))

    def text(self) -> bytes:
        """Return the page in Prometheus' text format."""
        return generate_latest(self._registry)
