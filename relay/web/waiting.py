"""The pages of a worker that starts or waits for its ledger: `/livez` is 200, all others are 503 with the reason."""

from __future__ import annotations

from flask import Flask, Response, jsonify


def create_waiting_app(part: str, reason: str) -> Flask:
    """Build the app of a worker that waits for `part` (such as `ledger`); `reason` says why, in one sentence."""
    app = Flask("relay.web.waiting", static_folder=None)

    def livez() -> Response:
        return jsonify(ok=True, worker="is waiting; a restart does not help")

    def anything(**_place: str) -> tuple[Response, int]:
        return jsonify(ok=False, **{part: reason}), 503

    app.add_url_rule("/livez", view_func=livez)
    app.add_url_rule("/", view_func=anything)
    app.add_url_rule("/<path:path>", endpoint="anything_else", view_func=anything)
    return app
