"""The Flask app: health checks and metrics for programs, the dashboard for people. No page changes anything."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, current_app, jsonify, render_template, request

from relay.compose.context import rest_of, telling_subject
from relay.compose.message import html_part, text_part
from relay.compose.notes import active_mute
from relay.config import Settings
from relay.errors import LedgerError
from relay.humanize import moment
from relay.ledger import Ledger
from relay.model import Timeline
from relay.outbox.advice import describe_bounces
from relay.outbox.holds import budget_holds, describe_holds
from relay.resources import templates_dir
from relay.web.health import Check, Vitals, alive, budget, ready, recipients, without_ledger
from relay.web.metrics import TYPE, Metrics

OPEN_PAGES = {"livez", "readyz", "metrics", "static"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(ledger: Ledger, settings: Settings, vitals: Callable[[], Vitals], now: Callable[[], datetime]) -> Flask:
    """Build the app over an open ledger. `vitals` and `now` are called for each request.

    Raises ConfigError if the file of the password cannot be read.
    """
    app = Flask("relay.web", template_folder=str(templates_dir() / "web"), static_folder=None)
    app.extensions["relay"] = _Context(ledger, settings, vitals, now)
    app.jinja_env.filters["moment"] = _time_filter(settings)
    app.jinja_env.filters["mute"] = lambda group: active_mute(group, now(), settings.time.tz)
    app.jinja_env.filters["bars"] = _bars
    app.jinja_env.filters["rest"] = rest_of
    app.jinja_env.filters["subject"] = telling_subject
    app.before_request(_ask_for_password)
    app.after_request(_with_headers)
    app.register_error_handler(LedgerError, _ledger_unreadable)
    for path, view in _PAGES.items():
        app.add_url_rule(path, view_func=view)
    return app


class _Context:
    """What the pages read from: the ledger, the settings, the state of the processes, the clock."""

    def __init__(
        self, ledger: Ledger, settings: Settings, vitals: Callable[[], Vitals], now: Callable[[], datetime]
    ) -> None:
        self.ledger, self.settings, self.vitals, self.now = ledger, settings, vitals, now
        self.password = settings.http.secret("password")
        self.metrics = Metrics(ledger, vitals, now)

    def readiness(self) -> tuple[Check, ...]:
        """Return the checks of `/readyz`."""
        ledger, now = self.ledger, self.now()
        host, zone = self.settings.upstream.host, self.settings.time.tz
        vitals = self.vitals()
        try:
            upstream, tally, due = ledger.upstream(vitals.upstream), ledger.tally(), ledger.next_try_at()
            delayed = ledger.delayed()
            bounces = describe_bounces(ledger.bouncing(now), zone)
            held = describe_holds(budget_holds(ledger, self.settings, now), self.settings.budget, zone)
        except LedgerError as error:
            return without_ledger(vitals, str(error), now, zone)
        checks = ready(vitals, upstream, tally, host=host, now=now, zone=zone, next_try_at=due, delayed=delayed)
        return (*checks, budget(held), recipients(bounces))


def _context() -> _Context:
    context: _Context = current_app.extensions["relay"]
    return context


# --- For programs -----------------------------------------------------------------------------------------------------


def livez() -> tuple[Response, int]:
    """Answer 200 while the worker's threads run, else 503; then a restart helps."""
    return _checks_response(alive(_context().vitals()))


def readyz() -> tuple[Response, int]:
    """Answer 200 while digests are delivered, else 503; docs/operations.md explains each answer."""
    return _checks_response(_context().readiness())


def metrics() -> Response:
    """Return the metrics in the text format of Prometheus."""
    return Response(_context().metrics.text(), content_type=TYPE)


def _checks_response(checks: Iterable[Check]) -> tuple[Response, int]:
    found = list(checks)
    ok = all(check.ok for check in found)
    return jsonify(ok=ok, **{check.name: check.text for check in found}), 200 if ok else 503


# --- For people -------------------------------------------------------------------------------------------------------


def overview() -> str:
    """Show the checks, the books, the errors seen last and the newest digests."""
    context = _context()
    return _page(
        "overview.html",
        checks=context.readiness(),
        books=context.ledger.books(context.now()),
        groups=context.ledger.groups(limit=50),
        messages=context.ledger.messages(limit=20),
        local=not context.settings.upstream.host,
    )


def error(group_id: int) -> str:
    """Show one error with its timeline over the last day and its newest sample."""
    context = _context()
    group = context.ledger.face_of(group_id) or abort(404)
    group_id = group.id  # a part of a merged error shows the whole error
    now = context.now()
    timeline = context.ledger.timeline(group_id, now - timedelta(days=1), now)
    return _page("error.html", group=group, samples=context.ledger.samples_of(group_id), timeline=timeline)


def message(message_id: str) -> str:
    """Show one message of the outbox: its recipients with the upstream's replies, and its text."""
    context = _context()
    found = context.ledger.message(message_id) or abort(404)
    raw = context.ledger.raw(message_id)
    return _page("message.html", message=found, text=text_part(raw) if raw else "")


def message_html(message_id: str) -> Response:
    """Return the HTML part of a message, for the frame in its page: no scripts, no remote content."""
    raw = _context().ledger.raw(message_id) or abort(404)
    response = Response(html_part(raw), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return response


def _page(template: str, **values: Any) -> str:
    return render_template(template, now=_context().now(), **values)


_PAGES: dict[str, Callable[..., Any]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics,
    "/": overview,
    "/errors/<int:group_id>": error,
    "/letters/<message_id>": message,
    "/letters/<message_id>/html": message_html,
}


# --- Around each page -------------------------------------------------------------------------------------------------


def _ask_for_password() -> Response | None:
    password = _context().password
    if password is None or request.endpoint in OPEN_PAGES:
        return None
    given = (request.authorization.password if request.authorization else None) or ""
    if hmac.compare_digest(given.encode(), password.encode()):
        return None
    challenge = {"WWW-Authenticate": 'Basic realm="error-mail relay", charset="UTF-8"'}
    return Response("A password is required; any user name is accepted.\n", 401, challenge, content_type="text/plain")


def _ledger_unreadable(error: Exception) -> Response:
    return Response(f"{error}\n", 503, content_type="text/plain; charset=utf-8")


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _time_filter(settings: Settings) -> Callable[[datetime | None], str]:
    zone = settings.time.tz
    return lambda at: moment(at, zone) if at else "–"


def _bars(timeline: Timeline | None) -> list[int]:
    """Return the counts of a timeline as heights of 0 to 100 percent."""
    if timeline is None or not timeline.counts:
        return []
    highest = max(timeline.counts) or 1
    return [round(100 * count / highest) for count in timeline.counts]
