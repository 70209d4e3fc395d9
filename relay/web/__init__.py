"""The HTTP interface of the worker: `/livez`, `/readyz`, `/metrics` and the dashboard.

    health    judges from values whether the worker is alive and digests are delivered
    metrics   the metrics for Prometheus
    app       the pages
    waiting   the pages of a worker that waits for its ledger or spool
    server    waitress on an inherited socket

Guarantee: it only reads, and a reader of the ledger never blocks a writer. Mail content is shown as escaped text, or as
the HTML part of a digest in a sandbox. No page can stop the worker.
"""

from relay.web.app import create_app
from relay.web.health import Vitals
from relay.web.server import Server
from relay.web.waiting import create_waiting_app

__all__ = ["Server", "Vitals", "create_app", "create_waiting_app"]
