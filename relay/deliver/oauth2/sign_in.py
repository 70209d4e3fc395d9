"""A person logs in once in a browser, and the relay stores the refresh token that results (`relay login`).

    device code           the relay shows a code; the person enters it in a browser on any machine (RFC 8628)
    authorization code    the relay shows an address; the browser ends on a page of this machine that nobody serves, and
                          the person gives its address to the relay (RFC 6749 section 4.1, RFC 7636, RFC 8252)

So neither needs a port that a browser can reach, and both work over SSH.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from relay import config
from relay.clock import utc_now
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.secrets import safe_text
from relay.deliver.oauth2.source import TokenSource
from relay.deliver.oauth2.token import Token

REDIRECT = "http://127.0.0.1:8027/"
"""The address of the browser's last page. Nobody listens there: the person copies it from the address bar."""
POLL = 5.0
"""Seconds between two questions whether the person has logged in, if the server names none (RFC 8628 section 3.2)."""
SLOWER = 5.0
"""Seconds by which the pause grows if the server asks for it (section 3.5)."""
LONGEST = 1800.0
"""Seconds after which the login is given up, whatever the server says."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the person needs: the page to open, the code to enter there, and the minutes that are left."""

    page: str
    code: str
    minutes: int


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The page to open, and what belongs to its answer."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


class SignIn:
    """One login by a person, for the account of a `TokenSource`. Each method raises TokenFailed."""

    def __init__(
        self, settings: config.Upstream, tokens: TokenSource, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._clock = clock

    async def with_device_code(
        self, show: Callable[[DeviceCode], None], *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> Token:
        """Get a code, `show` it, and ask with a `pause` in seconds until the person has logged in."""
        from relay.deliver.oauth2.endpoint import LoginPending  # noqa: PLC0415 -- loads the HTTP client

        server = self._tokens.server()
        reply = await server.device_code()
        page = str(
            reply.get("verification_uri_complete") or reply.get("verification_uri") or reply.get("verification_url")
        )
        device_code, code = str(reply.get("device_code") or ""), str(reply.get("user_code") or "")
        if not device_code or not code:
            raise TokenFailed("the reply holds no device code: check [upstream.oauth2] device_endpoint")
        seconds = min(_number(reply.get("expires_in"), 900), LONGEST)
        show(DeviceCode(safe_text(page), safe_text(code), int(seconds // 60)))
        wait = _number(reply.get("interval"), POLL)
        while seconds > 0:
            await pause(wait)
            seconds -= wait
            try:
                return self._accept(await server.redeem_device_code(device_code))
            except LoginPending as pending:
                wait += SLOWER if pending.slower else 0
        raise TokenFailed("the code has expired: nobody has logged in with it")

    def page(self) -> LoginPage:
        """Return the page to open. Nothing is connected to."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415 -- only a login needs it
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415 -- likewise

        oauth2 = self._settings.oauth2
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        url: str = prepare_grant_uri(
            oauth2.endpoints.authorization,
            client_id=oauth2.client_id,
            response_type="code",
            redirect_uri=REDIRECT,
            scope=oauth2.endpoints.scope,
            state=state,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            login_hint=self._settings.username,
            access_type="offline",  # Google gives a refresh token only with these two
            prompt="consent",
        )
        return LoginPage(url, state, verifier)

    async def with_page(self, page: LoginPage, answer: str) -> Token:
        """Finish the login of `page`; `answer` is the address of the browser's last page."""
        fields = parse_qs(urlsplit(answer.strip()).query)
        if "error" in fields:
            raise TokenFailed(f"the login was refused: {safe_text(fields['error'][0])}")
        code, state = fields.get("code", [""])[0], fields.get("state", [""])[0]
        if not code:
            raise TokenFailed(f"this is not the address of the last page: it begins with {REDIRECT}?")
        if not secrets.compare_digest(state.encode(), page.state.encode()):
            raise TokenFailed("this address belongs to another login: open the page that was shown last")
        server = self._tokens.server()
        return self._accept(await server.redeem_code(code, verifier=page.verifier, redirect_uri=REDIRECT))

    def _accept(self, reply: Mapping[str, Any]) -> Token:
        if not reply.get("refresh_token"):
            raise TokenFailed("the reply holds no refresh token: add offline_access to [upstream.oauth2] scope")
        return self._tokens.accept_login(reply, self._clock())


def _number(value: object, default: float) -> float:
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if 0 < number < 10**6 else default
