"""An invented example digest with one error for each reason, for trying out templates before any error has occurred.

`relay render` shows it if nothing is pending. `relay check` renders it to find out whether custom templates work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from relay.model import Books, Digest, Entry, Form, Level, MessageKind, Reason, Report, Timeline

_MINUTE = timedelta(minutes=1)
_APP = "YourApplication Failed"
_TRACE = """\
Traceback (most recent call last):
  File "/srv/yourapplication/views.py", line 118, in checkout
    average = sum(item.price for item in cart) / len(cart)
              ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~^~~~~~~~~~~
ZeroDivisionError: division by zero
"""


def example_digest(at: datetime, recipients: tuple[str, ...]) -> Digest:
    """Return a digest created at `at` with one error for each reason, the first of them CRITICAL."""
    entries = tuple(_entry(at, reason, place) for place, reason in enumerate(Reason, 1))
    mails = sum(entry.mails for entry in entries)
    return Digest(
        id=f"{0x5BEC1:032x}",
        kind=MessageKind.DIGEST,
        route="admins",
        recipients=recipients,
        created_at=at,
        entries=entries,
        books=Books(
            at=at, received=mails + 12, reported=12, pending=mails, muted=0, ignored=0, parked=0, undelivered=0
        ),
        notes=("This is an example digest: none of its errors occurred.",),
    )


def _entry(at: datetime, reason: Reason, place: int) -> Entry:
    counts = (0, 0, place, 9 * place, 14 * place, 11 * place, 6 * place, 4 * place, 0, 0)
    occurrences, since = sum(counts), at - 8 * _MINUTE
    level = Level.CRITICAL if place == 1 else Level.ERROR
    return Entry(
        group_id=place,
        reason=reason,
        app=_APP,
        title=f"ZeroDivisionError in checkout_{place}",
        level=level,
        mails=occurrences,
        occurrences=occurrences,
        since=since,
        until=at - 2 * _MINUTE,
        rate=occurrences / 6,
        rate_before=0.0 if reason is Reason.NEW else float(place),
        first_seen=since,
        last_seen=at - 2 * _MINUTE,
        seen_before=None if reason is Reason.NEW else at - timedelta(days=place),
        total_occurrences=occurrences,
        episode_occurrences=occurrences,
        episode_since=since,
        peak=max(counts),
        timeline=Timeline(since=at - 10 * _MINUTE, step=_MINUTE, counts=counts),
        sample=_report(at, level),
    )


def _report(at: datetime, level: Level) -> Report:
    return Report(
        form=Form.DOCUMENTED,
        subject=_APP,
        sender="server-error@example.com",
        app=_APP,
        level=level,
        logger="yourapplication",
        location="/srv/yourapplication/views.py:118",
        module="views",
        function="checkout",
        time=f"{at:%Y-%m-%d %H:%M:%S},000",
        message="Exception on /checkout [POST]",
        trace=_TRACE,
        environment="production",
        host="web-1",
        request=(("Request", "POST https://shop.example.com/checkout"), ("User", "42")),
    )
