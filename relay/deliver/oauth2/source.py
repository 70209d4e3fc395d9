"""The access token for a login: from memory, from the stored file, or a new one (settings → session).

Guarantee: of all processes on this machine with the same account and `token_dir`, one at a time refreshes, and the
others use its token. A refresh that fails does not matter as long as the last token is valid; then it is tried again
once a minute. A token that the server refused is replaced once per login, and not if it was new: another one would be
refused as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relay import config
from relay.clock import utc_now
from relay.config import Grant
from relay.config.section import SecretUnreadable
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.files import TokenFiles
from relay.deliver.oauth2.programs import token_from_command, token_from_file
from relay.deliver.oauth2.token import Token, token_from_reply

if TYPE_CHECKING:
    from relay.deliver.oauth2.endpoint import AuthorizationServer


class TokenSource:
    """Gives the access tokens of one account. One thread uses it at a time."""

    def __init__(
        self,
        settings: config.Upstream,
        folder: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),  # noqa: S311 -- jitter
    ) -> None:
        """Store tokens in `folder`. Nothing is read, created or connected to yet."""
        self._settings = settings
        self._oauth2 = settings.oauth2
        self._clock = clock
        self._jitter = jitter
        self._timeout = settings.timeout.total_seconds()
        self._memory: Token | None = None
        self._login_began = clock()
        self._unsaved_refresh_token = ""
        """A refresh token that could not be stored, for example because the disk is full."""
        self.files = TokenFiles(settings.oauth2.token_dir or folder, account_of(settings))

    async def token(self) -> Token:
        """Return a token that is valid now. Raises TokenFailed."""
        now = self._login_began = self._clock()
        if self._oauth2.token_file:
            return token_from_file(self._oauth2.token_file, now=now)
        for known in (self._memory, self.files.token()):
            if known and known.fresh(now):
                self._memory = known
                return known
        return await self._refreshed(self._usable(now))

    async def replacement(self, refused: Token) -> Token | None:
        """Return another token than one that the server refused; None if there is none to be expected.

        Raises TokenFailed.
        """
        if self._oauth2.token_file or refused.obtained_at >= self._login_began:
            return None
        self._memory = None
        return await self._refreshed(None, refused=refused.access)

    async def new_token(self) -> Token:
        """Get and store a new token, whatever is stored. Raises TokenFailed."""
        if self._oauth2.token_file:
            return await self.token()
        self._memory = None
        stored = self.files.token()
        return await self._refreshed(None, refused=stored.access if stored else "")

    def accept_login(self, reply: Mapping[str, Any], now: datetime) -> Token:
        """Store the tokens of a login by a person. Raises TokenFailed, also if the disk cannot be written."""
        token = self.accept(reply, now)
        if self._unsaved_refresh_token:
            raise TokenFailed("the login cannot be stored: check the data directory, its disk and its owner")
        self._memory = token
        self.files.store_token(token)
        return token

    def _usable(self, now: datetime) -> Token | None:
        """Return a token that is still valid although it is time to refresh it."""
        return next((each for each in (self._memory, self.files.token()) if each and each.usable(now)), None)

    async def _refreshed(self, usable: Token | None, refused: str = "") -> Token:
        """Return the token of a refresh, this process's or another's; or `usable` if there is none."""
        async with self.files.locked(0 if usable else self._timeout) as locked:
            now = self._clock()
            stored = self.files.token()
            if stored and stored.access != refused and stored.fresh(now):
                self._memory = stored
                return stored
            if not locked and not usable:
                raise TokenFailed(f"another process has been asking for a token for more than {self._timeout:g} s")
            if not locked and usable:
                return usable
            try:
                token = await self._new(now)
            except TokenFailed:
                if usable is None or not usable.usable(now):
                    raise
                token = usable.postponed(now)
            self._memory = token
            self.files.store_token(token)
            return token

    async def _new(self, now: datetime) -> Token:
        """Get a new token in the way that is set. Raises TokenFailed."""
        if self._oauth2.flow is Grant.COMMAND:
            return await token_from_command(
                self._oauth2.token_command, timeout=self._timeout, now=now, jitter=self._jitter()
            )
        try:
            return self.accept(await self._reply(self.server()), now)
        except SecretUnreadable as error:
            raise TokenFailed(str(error)) from error

    def server(self) -> AuthorizationServer:
        """Return the authorisation server of the settings. Raises TokenFailed if its libraries are not installed."""
        try:
            from relay.deliver.oauth2.endpoint import AuthorizationServer  # noqa: PLC0415 -- loads the HTTP client
        except ModuleNotFoundError as error:
            text = 'libraries are missing: run pip install "error-mail-relay[server,oauth]"'
            raise TokenFailed(text) from error
        return AuthorizationServer(
            self._oauth2, ca_file=self._settings.ca_file, timeout=self._timeout, clock=self._clock
        )

    async def _reply(self, server: AuthorizationServer) -> Mapping[str, Any]:
        flow = self._oauth2.flow
        if flow is Grant.CLIENT_CREDENTIALS:
            return await server.client_credentials()
        if flow is Grant.SERVICE_ACCOUNT:
            return await server.service_account(self._settings.username)
        configured = self._configured_refresh_token()
        refresh_token = self._unsaved_refresh_token or self.files.refresh_token(configured) or configured
        if not refresh_token:
            raise TokenFailed(f"nobody has logged in as {self._settings.username} yet")
        return await server.refresh(refresh_token)

    def accept(self, reply: Mapping[str, Any], now: datetime) -> Token:
        """Return the token of a reply; store the refresh token in it, if any. Raises TokenFailed."""
        try:
            token = token_from_reply(reply, now=now, jitter=self._jitter())
        except ValueError as error:
            raise TokenFailed(f"no access token: {error}") from error
        refresh_token = reply.get("refresh_token")
        configured = self._configured_refresh_token()
        if isinstance(refresh_token, str) and refresh_token not in {"", configured}:
            self._store_refresh_token(refresh_token, configured)
        return token

    def _store_refresh_token(self, refresh_token: str, configured: str) -> None:
        if refresh_token == self.files.refresh_token(configured):
            return
        try:
            self.files.store_refresh_token(refresh_token, configured)
        except OSError:
            self._unsaved_refresh_token = refresh_token  # in memory until the next refresh can store one
        else:
            self._unsaved_refresh_token = ""

    def _configured_refresh_token(self) -> str:
        return (self._oauth2.secret("refresh_token") or "") if self._oauth2.flow is Grant.REFRESH_TOKEN else ""


def account_of(settings: config.Upstream) -> str:
    """Return what a token belongs to: the mailbox, the application and the provider. Only its hash is stored."""
    oauth2 = settings.oauth2
    parts = (oauth2.flow, *oauth2.endpoints, oauth2.client_id, settings.username, *oauth2.token_command)
    return "\n".join(parts)
