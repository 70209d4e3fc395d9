"""The pages: health and metrics for machines, the dashboard for people. Nothing here changes anything."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, current_app, jsonify, render_template, request

from relay.compose.message import html_part, text_part
from relay.config import Settings
from relay.errors import LedgerError
from relay.ledger import Ledger
from relay.model import Timeline
from relay.resources import templates_dir
from relay.web.health import Check, Vitals, alive, ready, without_ledger
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
    """Build the app over an open ledger. `vitals` and `now` are asked anew for each request."""
    app = Flask("relay.web", template_folder=str(templates_dir() / "web"), static_folder=None)
    app.extensions["relay"] = _Desk(ledger, settings, vitals, now)
    app.jinja_env.filters["moment"] = _moment_in(settings)
    app.jinja_env.filters["bars"] = _bars
    app.before_request(_ask_for_password)
    app.after_request(_with_headers)
    app.register_error_handler(LedgerError, _ledger_unreadable)
    for path, view in _PAGES.items():
        app.add_url_rule(path, view_func=view)
    return app


class _Desk:
    """What every page needs at hand."""

    def __init__(
        self, ledger: Ledger, settings: Settings, vitals: Callable[[], Vitals], now: Callable[[], datetime]
    ) -> None:
        self.ledger, self.settings, self.vitals, self.now = ledger, settings, vitals, now
        self.metrics = Metrics(ledger, vitals, now)

    def readiness(self) -> tuple[Check, ...]:
        ledger, now = self.ledger, self.now()
        host = self.settings.upstream.host
        vitals = self.vitals()
        try:
            upstream, tally, due = ledger.upstream(), ledger.tally(), ledger.next_try_at()
            delayed = ledger.delayed()
        except LedgerError as error:
            return without_ledger(vitals, str(error), now)
        return ready(vitals, upstream, tally, host=host, now=now, next_message_at=due, delayed=delayed)


def _desk() -> _Desk:
    desk: _Desk = current_app.extensions["relay"]
    return desk


# --- For machines -----------------------------------------------------------------------------------------------------


def livez() -> tuple[Response, int]:
    """Answer 200 while the worker's threads turn, else 503 (then a restart helps)."""
    return _verdict(alive(_desk().vitals()))


def readyz() -> tuple[Response, int]:
    """Answer 200 while mail really gets out, else 503; docs/operations.md explains each answer."""
    return _verdict(_desk().readiness())


def metrics() -> Response:
    """Answer the numbers in Prometheus' text format."""
    return Response(_desk().metrics.text(), content_type=TYPE)


def _verdict(checks: Iterable[Check]) -> tuple[Response, int]:
    found = list(checks)
    fine = all(check.ok for check in found)
    return jsonify(ok=fine, **{check.name: check.words for check in found}), 200 if fine else 503


# --- For people -------------------------------------------------------------------------------------------------------


def overview() -> str:
    """Show the state, the books, the errors seen last and the newest letters."""
    desk = _desk()
    return _page(
        "overview.html",
        checks=desk.readiness(),
        books=desk.ledger.books(desk.now()),
        groups=desk.ledger.groups(limit=50),
        letters=desk.ledger.messages(limit=20),
        local=not desk.settings.upstream.host,
    )


def error(group_id: int) -> str:
    """Show one error with its course over a day and its newest sample."""
    desk = _desk()
    group = desk.ledger.group(group_id) or abort(404)
    now = desk.now()
    course = desk.ledger.timeline(group_id, now - timedelta(days=1), now)
    return _page("error.html", group=group, samples=desk.ledger.samples_of(group_id), course=course)


def letter(letter_id: str) -> str:
    """Show one letter: who got it, and what it says."""
    desk = _desk()
    found = desk.ledger.message(letter_id) or abort(404)
    raw = desk.ledger.raw(letter_id)
    return _page("letter.html", letter=found, text=text_part(raw) if raw else "")


def letter_html(letter_id: str) -> Response:
    """Show the HTML part of a letter, for the frame in its page: no script, nothing from elsewhere."""
    raw = _desk().ledger.raw(letter_id) or abort(404)
    answer = Response(html_part(raw), content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return answer


def _page(template: str, **facts: Any) -> str:
    return render_template(template, now=_desk().now(), **facts)


_PAGES: dict[str, Callable[..., Any]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics,
    "/": overview,
    "/errors/<int:group_id>": error,
    "/letters/<letter_id>": letter,
    "/letters/<letter_id>/html": letter_html,
}


# --- Around each page -------------------------------------------------------------------------------------------------


def _ask_for_password() -> Response | None:
    password = _desk().settings.http.password
    if password is None or request.endpoint in OPEN_PAGES:
        return None
    given = (request.authorization.password if request.authorization else None) or ""
    if hmac.compare_digest(given.encode(), password.get_secret_value().encode()):
        return None
    challenge = {"WWW-Authenticate": 'Basic realm="error-mail relay", charset="UTF-8"'}
    return Response("The password is needed; any user name will do.\n", 401, challenge, content_type="text/plain")


def _ledger_unreadable(error: Exception) -> Response:
    return Response(f"{error}\n", 503, content_type="text/plain; charset=utf-8")


def _with_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def _moment_in(settings: Settings) -> Callable[[datetime | None], str]:
    zone = settings.time.tz
    return lambda at: at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "–"


def _bars(course: Timeline | None) -> list[int]:
    """Turn a course into heights of 0..100."""
    if course is None or not course.counts:
        return []
    highest = max(course.counts) or 1
    return [round(100 * count / highest) for count in course.counts]
