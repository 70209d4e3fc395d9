"""A real OAuth 2.0 authorisation server (Flask) for tests: every grant that the relay uses, and it can misbehave.

    with AuthorizationServer(lifetime=3600) as server:
        server.say({"error": "invalid_client"}, status=401)      # replaces the next reply of the token endpoint
        …
        assert server.granted == ["client_credentials"]

Its tokens are checked by `accepts(user, token)`, which a test's mail server asks. Times come from `clock`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

CLIENT, SECRET = "relay-client", "s3cret/of+the=client"
MAILBOX = "relay@example.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
USER_CODE = "WDJB-MJHT"


class AuthorizationServer:
    """The server, in threads of its own, on a free port of the loopback."""

    def __init__(
        self,
        *,
        lifetime: int = 3600,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        public_key: RSAKey | None = None,
        rotate: bool = False,
    ) -> None:
        """`public_key` checks signed statements instead of the secret. `rotate`: a refresh token works once."""
        self.lifetime = lifetime
        self.clock = clock
        self.public_key = public_key
        self.rotate = rotate
        self.interval = 1.0
        """Seconds between two questions for a device code's token."""
        self.granted: list[str] = []
        """The grants of all issued tokens."""
        self.granted_at: list[datetime] = []
        """When they were issued."""
        self.requests: list[dict[str, str]] = []
        """The forms of all requests to the token endpoint."""
        self.headers: list[dict[str, str]] = []
        self.statements: list[tuple[dict[str, Any], dict[str, Any]]] = []
        """Header and claims of the signed statements that were accepted."""
        self.issued: list[str] = []
        """Every secret that was issued: access tokens, refresh tokens, codes."""
        self.approved = threading.Event()
        """The person has logged in on the other device."""
        self.refresh_tokens: set[str] = set()
        self._valid: dict[str, datetime] = {}
        self._codes: dict[str, str] = {}
        self._replies: list[tuple[Any, int, dict[str, str]]] = []
        self._down = False
        self._lock = threading.Lock()
        app = Flask("authorization-server")
        app.post("/token")(self._token)
        app.post("/devicecode")(self._device_code)
        app.get("/authorize")(self._authorize)
        self.clock_ahead = timedelta(0)
        """How far the server's clock is ahead of `clock`."""
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=self._handler())
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(self) -> type[WSGIRequestHandler]:
        server = self

        class Handler(WSGIRequestHandler):
            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(server.clock() + server.clock_ahead, usegmt=True)

            def log_request(self, *_: object) -> None:
                """Print nothing."""

        return Handler

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tables(self, **more: Any) -> dict[str, Any]:
        """Return `[upstream.oauth2]` for this server."""
        client = {"client_id": CLIENT, "client_secret": SECRET}
        return {"provider": "custom", "token_endpoint": f"{self.base}/token", "scope": "mail", **client, **more}

    # --- What a test does ---------------------------------------------------------------------------------------------

    def say(self, body: Any, *, status: int = 200, times: int = 1, **headers: str) -> None:
        """Reply this to the next requests to the token endpoint: JSON, bytes, or what a function returns."""
        self._replies += [(body, status, headers)] * times

    def stop_answering(self, *, down: bool = True) -> None:
        """Reply 503 to everything from now on; with `down` unset, work again."""
        self._down = down

    def accepts(self, user: str, token: str) -> bool:
        """Return whether the token is valid now, for the mailbox."""
        with self._lock:
            return user == MAILBOX and self._valid.get(token, datetime.min.replace(tzinfo=UTC)) > self.clock()

    def revoke_access_tokens(self) -> None:
        """Make all access tokens invalid."""
        with self._lock:
            self._valid.clear()

    def new_refresh_token(self) -> str:
        """Return a refresh token that works."""
        token = self._secret("rt")
        self.refresh_tokens.add(token)
        return token

    # --- The endpoints ------------------------------------------------------------------------------------------------

    def _token(self) -> Any:
        with self._lock:
            form = request.form.to_dict()
            self.requests.append(form)
            self.headers.append(dict(request.headers))
            if self._down:
                return Response("down for maintenance", 503)
            if self._replies:
                return _reply(*self._replies.pop(0))
            return self._grant(form)

    def _grant(self, form: dict[str, str]) -> Any:
        grant = form.get("grant_type", "")
        if grant != JWT_BEARER and not self._client_known(form):
            return _refusal("invalid_client", "the client is not known", 401)
        check = {
            "client_credentials": lambda: "",
            JWT_BEARER: lambda: self._check_statement(form),
            "refresh_token": lambda: self._check_refresh_token(form),
            DEVICE: lambda: self._check_device(form),
            "authorization_code": lambda: self._check_code(form),
        }.get(grant, lambda: "unsupported_grant_type")
        if error := check():
            return _refusal(error, "as the test wants it", 400)
        self.granted.append(grant)
        self.granted_at.append(self.clock())
        access = self._secret("at")
        self._valid[access] = self.clock() + timedelta(seconds=self.lifetime)
        found: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        if grant in {DEVICE, "authorization_code"} or (grant == "refresh_token" and self.rotate):
            found["refresh_token"] = self._secret("rt")
            self.refresh_tokens.add(found["refresh_token"])
        return jsonify(found)

    def _client_known(self, form: dict[str, str]) -> bool:
        if self.public_key and "client_assertion" in form:
            return self._signed(form["client_assertion"])
        basic = request.authorization
        given = (basic.username, basic.password) if basic else (form.get("client_id"), form.get("client_secret"))
        return given == (CLIENT, SECRET)

    def _signed(self, statement: str) -> bool:
        assert self.public_key
        found = jwt.decode(statement, self.public_key, algorithms=["RS256", "PS256"])
        self.statements.append((dict(found.header), dict(found.claims)))
        return found.claims["aud"] == f"{self.base}/token" and found.claims["exp"] > time.time()

    def _check_statement(self, form: dict[str, str]) -> str:
        return "" if self._signed(form["assertion"]) else "invalid_grant"

    def _check_refresh_token(self, form: dict[str, str]) -> str:
        if form.get("refresh_token") not in self.refresh_tokens:
            return "invalid_grant"
        if self.rotate:
            self.refresh_tokens.remove(form["refresh_token"])
        return ""

    def _check_device(self, form: dict[str, str]) -> str:
        if form.get("device_code") not in self._codes:
            return "expired_token"
        return "" if self.approved.is_set() else "authorization_pending"

    def _check_code(self, form: dict[str, str]) -> str:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return "" if self._codes.pop(form.get("code", ""), None) == challenge else "invalid_grant"

    def _device_code(self) -> Any:
        code = self._secret("dc")
        self._codes[code] = ""
        found = {"device_code": code, "user_code": USER_CODE, "verification_uri": f"{self.base}/device"}
        return jsonify({**found, "expires_in": 900, "interval": self.interval})

    def _authorize(self) -> Any:
        """Agree at once, and send the browser on with a code."""
        code = self._secret("ac")
        self._codes[code] = request.args["code_challenge"]
        answer = urlencode({"code": code, "state": request.args["state"]})
        return redirect(f"{request.args['redirect_uri']}?{answer}")

    def _secret(self, kind: str) -> str:
        self.issued.append(f"{kind}-{secrets.token_urlsafe(30)}")
        return self.issued[-1]


def _reply(body: Any, status: int, headers: dict[str, str]) -> Response:
    if callable(body):
        body = body()
    response = Response(body, status) if isinstance(body, bytes | str) else jsonify(body)
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def _refusal(error: str, description: str, status: int) -> Response:
    return _reply({"error": error, "error_description": description}, status, {})
