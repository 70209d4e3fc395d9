"""An access token: how long it is used, when it is refreshed, and how a token endpoint's reply is read (pure).

`jitter` is a number in -1..1 that the caller draws. It moves the time of the refresh, so that many relays do not ask
one server in the same second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

DEFAULT_LIFETIME = timedelta(minutes=5)
"""Used if a reply does not say how long the token is valid (RFC 6749 section 5.1 only recommends it)."""
MAX_LIFETIME = timedelta(days=1)
"""A token is not used for longer, whatever the reply says."""
REFRESH_AT = 0.8
"""The part of its lifetime after which a token is refreshed, plus or minus JITTER."""
JITTER = 0.1
MARGIN = timedelta(seconds=30)
"""A token is not used in the last seconds of its lifetime: the login takes time, and clocks differ."""
MARGIN_PART = 0.05
"""The margin is at most this part of the lifetime."""
RETRY_AFTER = timedelta(minutes=1)
"""The pause after a refresh that failed while the token is still valid."""
MAX_TOKEN = 16 * 1024
"""Characters of the longest token. A login line has 12,288 (RFC 4954 section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token and its times (UTC)."""

    access: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime
    refresh_at: datetime

    def usable(self, now: datetime) -> bool:
        """Return whether the token is valid for a login now. A clock that was set back makes it unusable."""
        lifetime = self.expires_at - self.obtained_at
        margin = min(MARGIN, lifetime * MARGIN_PART)
        return self.obtained_at - MARGIN <= now < self.expires_at - margin

    def fresh(self, now: datetime) -> bool:
        """Return whether the token is usable and need not be refreshed yet."""
        return self.usable(now) and now < self.refresh_at

    def postponed(self, now: datetime) -> Token:
        """Return the token with a later refresh, because this one failed."""
        return replace(self, refresh_at=now + min(RETRY_AFTER, (self.expires_at - self.obtained_at) / 20))


def token_from_reply(reply: Mapping[str, Any], *, now: datetime, jitter: float) -> Token:
    """Return the token of a reply: a token endpoint's, or what `az` and `gcloud` print.

    Raises ValueError for a reply without a usable token; the text quotes nothing of it.
    """
    access = next((reply[name] for name in ("access_token", "accessToken", "token") if reply.get(name)), "")
    kind = reply.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("the reply holds no bearer token")
    return new_token(access, lifetime=_lifetime(reply, now), now=now, jitter=jitter)


def new_token(access: object, *, lifetime: timedelta | None, now: datetime, jitter: float) -> Token:
    """Return a token that was obtained at `now`. Raises ValueError if it cannot be one, or has expired already."""
    if not isinstance(access, str) or not access:
        raise ValueError("the reply holds no access token")
    if len(access) > MAX_TOKEN or not access.isascii() or not access.isprintable() or " " in access:
        raise ValueError("the access token is not one that can be sent (RFC 6750 section 2.1)")
    lasts = min(DEFAULT_LIFETIME if lifetime is None else lifetime, MAX_LIFETIME)
    if lasts <= timedelta(0):
        raise ValueError("the access token has expired already; this machine's clock may be wrong")
    part = REFRESH_AT + JITTER * max(-1.0, min(1.0, jitter))
    return Token(access=access, obtained_at=now, expires_at=now + lasts, refresh_at=now + lasts * part)


def _lifetime(reply: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Return how long the reply's token is valid: `expires_in` in seconds, or `expires_on` in seconds since 1970."""
    try:
        if (seconds := reply.get("expires_in")) is not None:
            return timedelta(seconds=float(seconds))
        if (at := reply.get("expires_on")) is not None:
            return datetime.fromtimestamp(float(at), UTC) - now
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return None


def to_json(token: Token) -> str:
    """Return the token as it is stored."""
    times = {name: getattr(token, name).isoformat() for name in ("obtained_at", "expires_at", "refresh_at")}
    return json.dumps({"access_token": token.access, **times})


def from_json(text: str) -> Token | None:
    """Return the stored token; None if the text is none."""
    try:
        found = json.loads(text)
        times = {name: datetime.fromisoformat(found[name]) for name in ("obtained_at", "expires_at", "refresh_at")}
        access = found["access_token"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(access, str) or not access or any(time.tzinfo is None for time in times.values()):
        return None
    return Token(access=access, **times)
