"""parse, redact, fingerprint, rules and routing, as in the worker: any bytes give one valid report."""

from __future__ import annotations

import re
from dataclasses import replace

from relay.config import Settings
from relay.grouping.fingerprint import fingerprint
from relay.grouping.routing import Router
from relay.grouping.rules import Rules
from relay.ledger.rows import report_json, report_of
from relay.model import Report, Retained
from relay.parse.report import parse
from relay.redact import redact
from tests.endurance.fuzzing.promises import is_clean, is_line
from tests.support.mails import record

_LINES = (
    "subject", "sender", "app", "logger", "location", "module", "function", "time", "environment", "host", "release",
    "process", "thread", "situation_reason", "record_id",
)  # fmt: skip
_SETTINGS = Settings.model_validate(
    {
        "admins": ["ops@example.org"],
        "app": [{"name": "Shop", "sender": "*@shop.*", "subject": "*[[]shop]*"}],
        "rule": [
            {"name": "quiet", "action": "ignore", "title": "*Quiet*[a-z]*"},
            {"name": "by host", "action": "split", "by": "host", "message": "*a*a*a*a*b*"},
        ],
        "route": [{"name": "pager", "recipients": ["pager@example.org"], "app": "*Fatal*"}],
    }
)
_RULES, _ROUTER = Rules(_SETTINGS.rule), Router(_SETTINGS.routes)


def parsed_report(data: bytes) -> Report:
    """Return the report of a mail; the first byte decides how much of it was retained."""
    retained = (Retained.WHOLE, Retained.ENDS)[data[:1] == b"\x01"]
    return parse(record(data, retained=retained), _SETTINGS.app)


def check(data: bytes) -> None:
    report = redact(parsed_report(data))
    found = fingerprint(report)
    judged = _RULES.judge(report, found)

    for name in _LINES:
        assert is_line(getattr(report, name), 600), name
    assert is_clean(report.message + report.trace + report.template)
    assert redact(report) == report
    assert re.fullmatch("[0-9a-f]{16,64}", found.key)
    assert is_line(found.title, 300)
    assert _ROUTER.route(report, judged.fingerprint.title) in ("pager", "admins", "default")
    assert report_of(report_json(report)) == replace(report, app_guessed=False, former_app="")
