"""Digests, entries and reports for the tests of rendering; every field can be overridden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from relay.model import Books, Digest, DigestLimits, Entry, Form, Level, MessageKind, Reason, Report, Timeline

NOW = datetime(2026, 3, 3, 13, 8, 2, tzinfo=UTC)
"""14:08:02 in Berlin, in winter."""

TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/venv/lib/python3.11/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/venv/lib/python3.11/site-packages/flask/app.py", line 919, in full_dispatch_request
    rv = self.handle_user_exception(e)
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/venv/lib/python3.11/site-packages/flask/app.py", line 902, in dispatch_request
    return self.ensure_sync(self.view_functions[rule.endpoint])(**view_args)  # type: ignore[no-any-return]
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/shop/views.py", line 118, in checkout
    average = sum(item.price for item in cart) / len(cart)
              ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~^~~~~~~~~~~
ZeroDivisionError: division by zero
"""


Limits = DigestLimits


def report(**fields: Any) -> Report:
    """A report of a mail in the documented format, from the handler of the documented recipe."""
    given: dict[str, Any] = {
        "form": Form.DOCUMENTED,
        "subject": "YourApplication Failed",
        "sender": "server-error@example.com",
        "app": "YourApplication Failed",
        "location": "/srv/shop/shop/views.py:118",
        "module": "views",
        "function": "checkout",
        "time": "2026-03-03 14:07:58,123",
        "message": "Exception on /checkout [POST]",
        "trace": TRACE,
    }
    return Report(**(given | fields))


def entry(reason: Reason = Reason.NEW, occurrences: int = 1204, **fields: Any) -> Entry:
    """An error that began four minutes ago."""
    since = NOW - timedelta(minutes=4)
    timeline = Timeline(
        since=since - timedelta(minutes=8), step=timedelta(minutes=1), counts=(0,) * 8 + _quarters(occurrences)
    )
    given: dict[str, Any] = {
        "group_id": 42,
        "reason": reason,
        "app": "YourApplication Failed",
        "title": "ZeroDivisionError in checkout",
        "level": Level.ERROR,
        "mails": occurrences,
        "occurrences": occurrences,
        "since": since,
        "until": NOW - timedelta(seconds=1),
        "rate": occurrences / 4,
        "rate_before": 0.0,
        "first_seen": since,
        "last_seen": NOW - timedelta(seconds=1),
        "seen_before": None,
        "total_occurrences": occurrences,
        "episode_occurrences": occurrences,
        "episode_since": since,
        "peak": occurrences // 2,
        "timeline": timeline,
        "sample": report(),
    }
    return Entry(**(given | fields))


def _quarters(occurrences: int) -> tuple[int, ...]:
    """Four counts that rise and fall and add up to `occurrences`."""
    parts = (occurrences // 8, occurrences // 2, occurrences // 4)
    return (*parts, occurrences - sum(parts))


def digest(*entries: Entry, **fields: Any) -> Digest:
    """A digest for the admins, with books that balance."""
    given: dict[str, Any] = {
        "id": "5f2b8c1de0a94476b3f1d2c4a5e60718",
        "kind": MessageKind.DIGEST,
        "route": "admins",
        "recipients": ("yourname@example.com",),
        "created_at": NOW,
        "entries": entries,
        "books": books(),
    }
    return Digest(**(given | fields))


def books(**fields: Any) -> Books:
    """Books that balance unless a field is given."""
    given: dict[str, Any] = {
        "at": NOW,
        "received": 12_400,
        "reported": 11_000,
        "pending": 1_300,
        "muted": 90,
        "ignored": 4,
        "parked": 1,
        "undelivered": 5,
    }
    return Books(**(given | fields))
