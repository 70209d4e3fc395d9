"""The login at the upstream: AUTH with a password, or with an access token (OAuth2).

A token is asked for only after the server has offered XOAUTH2 or OAUTHBEARER, on a connection with TLS (`config`
refuses OAuth2 without it). If the server refuses a stored token, the login is tried once more with a new one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiosmtplib

from relay import config
from relay.deliver.client import Client
from relay.deliver.oauth2 import bearer
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.source import TokenSource
from relay.deliver.oauth2.token import Token
from relay.deliver.replies import Reply, Scrub, UpstreamFailed, unwilling
from relay.model import Cause, Failure, cause_of

MECHANISMS = ("cram-md5", "plain", "login")
"""The AUTH mechanisms for a password, in order of preference."""

Run = Callable[[str, Awaitable[aiosmtplib.SMTPResponse]], Awaitable[Reply]]
"""Awaits one command at a step. Raises UpstreamFailed if there is no valid reply."""


class Login:
    """The login of one session."""

    def __init__(
        self,
        settings: config.Upstream,
        client: Client,
        command: Run,
        scrub: Scrub,
        *,
        password: str,
        tokens: TokenSource | None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._command = command
        self._scrub = scrub
        self._password = password
        self._tokens = tokens

    async def run(self) -> None:
        """Log in. Raises UpstreamFailed."""
        if self._tokens:
            await self._with_token(self._tokens)
        else:
            await self._with_password()

    # --- With a password ----------------------------------------------------------------------------------------------

    async def _with_password(self) -> None:
        usable = self._offered(MECHANISMS, "the relay supports CRAM-MD5, PLAIN and LOGIN")
        refusal: UpstreamFailed | None = None
        for mechanism in usable:  # some servers offer mechanisms that do not work
            try:
                reply = await self._try_password(mechanism)
            except UpstreamFailed as failed:  # e.g. the server hung up after a refusal: the refusal says more
                raise refusal or failed from failed
            if reply.good:
                return
            refusal = _refused(reply, mechanism)
        if refusal:
            raise refusal

    async def _try_password(self, mechanism: str) -> Reply:
        login = getattr(self._client, f"auth_{mechanism.replace('-', '')}")
        step = f"AUTH {mechanism.upper()}"
        reply = await self._command(step, login(self._settings.username, self._password))
        if reply.code // 100 == 3:  # the exchange should be over, but it asks again: cancel (RFC 4954 section 4)
            reply = await self._command(step, self._client.execute_command(b"*"))
        return reply

    # --- With an access token -----------------------------------------------------------------------------------------

    async def _with_token(self, tokens: TokenSource) -> None:
        mechanism = self._offered(bearer.MECHANISMS, "OAuth2 needs XOAUTH2 or OAUTHBEARER")[0]
        try:
            token: Token | None = await tokens.token()
            while token:
                reply = await self._try_token(mechanism, token)
                if reply.good:
                    return
                refusal = _refused(reply, mechanism)
                token = await tokens.replacement(token) if _token_at_fault(reply) else None
        except TokenFailed as failed:
            raise UpstreamFailed(Failure.TOKEN, failed.detail) from failed
        raise refusal

    async def _try_token(self, mechanism: str, token: Token) -> Reply:
        """Return the reply to the login with one token, with the reason that the server gives for a refusal."""
        response = bearer.initial_response(
            mechanism,
            user=self._settings.username,
            token=token.access,
            host=self._settings.host,
            port=self._settings.port or 0,
        )
        sent = bearer.secret_part(response, token.access)
        self._scrub.hide_token(token.access, sent, sent.rstrip("="))
        step, status = f"AUTH {mechanism.upper()}", ""
        lines = bearer.command_lines(mechanism, response)
        reply = await self._command(step, self._client.execute_command(lines[0]))
        for line in lines[1:]:
            if reply.code // 100 == 3:
                reply = await self._command(step, self._client.execute_command(line))
        if reply.code // 100 == 3:
            status = bearer.refusal_status(reply.text)
            reply = await self._command(step, self._client.execute_command(bearer.answer_to_refusal(mechanism)))
        if status and not reply.good:
            return reply._replace(text=self._scrub(f"{reply.text} (status {status})"))
        return reply

    # --- Both ---------------------------------------------------------------------------------------------------------

    def _offered(self, known: tuple[str, ...], needed: str) -> list[str]:
        """Return the mechanisms of `known` that the server offers. Raises UpstreamFailed if it offers none."""
        offered = self._client.server_auth_methods
        usable = [mechanism for mechanism in known if mechanism in offered]
        if not usable:
            names = self._scrub(" ".join(offered).upper()) or "no AUTH"
            raise UpstreamFailed(Failure.AUTH, f"it offers {names}; {needed}")
        return usable


def _refused(reply: Reply, mechanism: str) -> UpstreamFailed:
    if reply.code // 100 == 4:
        return unwilling(f"AUTH {mechanism.upper()}", reply)
    return UpstreamFailed(Failure.AUTH, f"it refused the credentials ({mechanism.upper()}): {reply}")


def _token_at_fault(reply: Reply) -> bool:
    """Return whether another token may help: not if the mailbox or the organization has SMTP AUTH switched off."""
    return reply.code // 100 == 5 and cause_of(reply.code, reply.text, "AUTH") is Cause.CREDENTIALS
