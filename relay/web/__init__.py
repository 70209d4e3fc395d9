"""The faces over HTTP, inside the worker: `/livez`, `/readyz`, `/metrics` and the dashboard.

    health    is it alive, does mail really get out: judged from values
    metrics   the numbers for Prometheus
    app       the pages
    waiting   the pages of a worker that cannot work yet
    server    waitress on a socket that was handed down

Guarantee: it only reads (the ledger's readers never make a writer wait), shows mail content
as escaped text alone, and no page can stop the worker.
"""

from relay.web.app import create_app
from relay.web.health import Vitals
from relay.web.server import Server
from relay.web.waiting import create_waiting_app

__all__ = ["Server", "Vitals", "create_app", "create_waiting_app"]
