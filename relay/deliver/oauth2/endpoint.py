"""Requests to the authorisation server, with Authlib: tokens for each grant, and the two kinds of login by a person.

Each request has one limit of time for everything, a reply of at most 64 KiB, no compression and no redirect. It uses
the proxy of the environment (HTTPS_PROXY). The certificate is checked against the system's authorities and `ca_file`.
Every failure is raised as `TokenFailed`, with a text that contains no secret.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from relay.config import OAuth2
from relay.config.section import SecretUnreadable
from relay.deliver.oauth2.assertion import certificate_auth, service_account_assertion
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.secrets import safe_text
from relay.deliver.replies import os_error_text

MAX_REPLY = 64 * 1024
"""Bytes of a reply that are read."""
CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far this machine's clock may be from the server's before a failure says so."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

Reply = Mapping[str, Any]


class AuthorizationServer:
    """The authorisation server of the settings. Each method makes one request and raises TokenFailed."""

    def __init__(self, oauth2: OAuth2, *, ca_file: Path | None, timeout: float, clock: Callable[[], datetime]) -> None:
        """`timeout`: seconds for one request. Secrets are read from their files at each request."""
        self._oauth2 = oauth2
        self._ca_file = ca_file
        self._timeout = timeout
        self._clock = clock
        self._endpoints = oauth2.endpoints

    async def client_credentials(self) -> Reply:
        """Return the reply to the application's own secret or certificate (RFC 6749 section 4.4)."""
        return await self._token(grant_type="client_credentials")

    async def service_account(self, mailbox: str) -> Reply:
        """Return the reply to a signed statement of the service account about `mailbox` (RFC 7523 section 2.1)."""
        key = self._oauth2.secret("service_account") or ""
        assertion = service_account_assertion(key, mailbox, self._endpoints.token, self._endpoints.scope, self._clock())
        return await self._token(grant_type=JWT_BEARER, assertion=assertion, scope=None)

    async def refresh(self, refresh_token: str) -> Reply:
        """Return the reply to a refresh token (RFC 6749 section 6)."""
        return await self._token(grant_type="refresh_token", refresh_token=refresh_token)

    async def device_code(self) -> Reply:
        """Start a login on another device: the reply has the codes and the address to open (RFC 8628 section 3.2)."""

        async def post(client: AsyncOAuth2Client) -> Reply:
            auth, fields = client.client_auth(client.token_endpoint_auth_method), {"scope": self._endpoints.scope}
            response = await client.request("POST", self._endpoints.device, withhold_token=True, auth=auth, data=fields)
            reply: Reply = client.parse_response_token(response)
            return reply

        return await self._request(self._endpoints.device, post)

    async def redeem_device_code(self, code: str) -> Reply:
        """Ask whether the person has logged in. Raises LoginPending while not."""
        return await self._token(grant_type=DEVICE_GRANT, device_code=code)

    async def redeem_code(self, code: str, *, verifier: str, redirect_uri: str) -> Reply:
        """Return the reply to the code of the browser's last page (RFC 6749 section 4.1.3, RFC 7636)."""
        return await self._token(
            grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
        )

    async def _token(self, **fields: Any) -> Reply:
        async def fetch(client: AsyncOAuth2Client) -> Reply:
            reply: Reply = await client.fetch_token(self._endpoints.token, **fields)
            return reply

        return await self._request(self._endpoints.token, fetch, [str(each) for each in fields.values()])

    async def _request(
        self, url: str, ask: Callable[[AsyncOAuth2Client], Any], secrets: list[str] | None = None
    ) -> Reply:
        exchange = _Exchange(urlsplit(url).hostname or url, self._clock(), [*(secrets or ()), self._client_secret()])
        try:
            async with asyncio.timeout(self._timeout), self._client(exchange) as client:
                reply: Reply = await ask(client)
                return reply
        except (TokenFailed, SecretUnreadable):
            raise
        except TimeoutError as error:
            raise exchange.failed(f"no reply within {self._timeout:g} s") from error
        except httpx2.TimeoutException as error:
            raise exchange.failed(f"no reply within {self._timeout:g} s") from error
        except AuthlibBaseError as error:
            exchange.refused(error)
        except httpx2.HTTPStatusError as error:
            raise exchange.failed(f"it replied {_status(error.response.status_code)}") from error
        except httpx2.HTTPError as error:
            raise exchange.failed(_connection_error(error)) from error
        except (TypeError, RecursionError) as error:  # of the library, about values that no server should send
            raise exchange.failed("its reply cannot be read, so it is no token endpoint") from error
        except ValueError as error:
            raise exchange.failed(
                f"it replied {_status(exchange.status)} without JSON, so it is no token endpoint"
            ) from error

    def _client_secret(self) -> str:
        return self._oauth2.secret("client_secret") or ""

    def _client(self, exchange: _Exchange) -> AsyncOAuth2Client:
        oauth2 = self._oauth2
        secret, key = self._client_secret(), oauth2.secret("private_key") or ""
        method = "none"
        if key or secret:
            method = (
                "private_key_jwt"
                if key
                else "client_secret_basic"
                if oauth2.provider == "custom"
                else "client_secret_post"
            )
        client = AsyncOAuth2Client(
            client_id=oauth2.client_id,
            client_secret=key or secret or None,
            token_endpoint_auth_method=method,
            scope=self._endpoints.scope or None,
            verify=self._tls_context(),
            timeout=self._timeout,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "error-mail-relay"},
            event_hooks={"response": [exchange.note]},
        )
        if key:
            client.register_client_auth_method(certificate_auth(key, oauth2.certificate, self._endpoints.token))
        return client

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError as error:
                raise TokenFailed(f"ca_file cannot be used: {os_error_text(error)}") from error
        return context


class LoginPending(TokenFailed):
    """The person has not logged in yet. `slower`: ask less often (RFC 8628 section 3.5)."""

    def __init__(self, detail: str, *, slower: bool) -> None:
        super().__init__(detail)
        self.slower = slower


class _Exchange:
    """One request: what is known about its reply, and the text of its failure."""

    def __init__(self, host: str, now: datetime, secrets: list[str]) -> None:
        self._host = host
        self._now = now
        self._secrets = secrets
        self._server_time: datetime | None = None
        self.status = 0

    async def note(self, response: httpx2.Response) -> None:
        """Note the status and the server's time, and limit the body."""
        self.status = response.status_code
        with suppress(ValueError, TypeError):
            self._server_time = parsedate_to_datetime(response.headers.get("date", ""))
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.DecodingError("the reply is compressed")
        response.stream = _Limited(response.stream)

    def failed(self, text: str) -> TokenFailed:
        """Return the failure with this text, and a note if the clocks differ."""
        return TokenFailed(f"no access token from {self._host}: {safe_text(text, self._secrets)}{self._clock_note()}")

    def refused(self, error: AuthlibBaseError) -> NoReturn:
        """Raise the failure for an error reply (RFC 6749 section 5.2)."""
        code, description = str(error.error or ""), str(error.description or "")
        failed = self.failed(": ".join(filter(None, [f"{self.status or ''} {code}".strip(), description])))
        if code in {"authorization_pending", "slow_down"}:
            raise LoginPending(failed.detail, slower=code == "slow_down") from error
        raise failed from error

    def _clock_note(self) -> str:
        """Return a note if this machine's clock and the server's differ: signed statements are then refused."""
        if self._server_time is None or self._server_time.tzinfo is None:
            return ""
        ahead = self._now - self._server_time
        if abs(ahead) <= CLOCK_TOLERANCE:
            return ""
        side = "ahead of" if ahead > timedelta(0) else "behind"
        return f"; this machine's clock is {abs(ahead).total_seconds() / 60:.0f} min {side} the server's"


class _Limited(httpx2.AsyncByteStream):
    """A body that ends with an error after MAX_REPLY bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_REPLY:
                raise httpx2.ReadError("the reply is too long")
            yield chunk

    async def aclose(self) -> None:
        """Close the connection's stream."""
        await self._stream.aclose()


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _connection_error(error: BaseException) -> str:
    """Return the text of the system's error that lies behind an error of the HTTP client."""
    chain = [error]
    while len(chain) < 10 and (cause := chain[-1].__cause__ or chain[-1].__context__):
        chain.append(cause)
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate was not accepted: {os_error_text(each)}"
        if isinstance(each, OSError) and each.errno:
            return f"cannot connect: {os_error_text(each)}"
    if isinstance(error, httpx2.DecodingError):
        return "the reply is compressed"
    return "the reply is too long" if "too long" in str(error) else "the connection broke"
