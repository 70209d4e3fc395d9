"""A real SMTP server (aiosmtpd) for tests that deliver digests: it can misbehave at every step.

In a test:

    with Upstream(security="starttls", certificate=authority.issue_cert("localhost"), users={"relay": "s3cret"}) as up:
        up.say("RCPT nobody@example.com", "550 5.1.1 nobody here")   # replaces the server's own reply
        up.say("ACCEPTED", drop, times=1)                            # accepts the next mail, hangs up without a reply
        …
        assert [mail.recipients for mail in up.mails] == [("admin@example.com",)]

`stop()` stops it; `start()` starts it again on the same port. Places for `say`: GREETING, EHLO, HELO, STARTTLS, TLS
(the handshake), AUTH, MAIL, RCPT, `RCPT someone@example.com`, DATA, DOT (after the content, which it does not accept),
ACCEPTED (after the content, which it has accepted), QUIT.

As a process: `python -m tests.support.upstream FOLDER` keeps its certificate authority in FOLDER (`ca.pem`, for
`upstream.ca_file`). It writes each accepted mail to a file there before it replies, and prints `{"host": …, "port": …,
"ca_file": …}` once it listens. It ends on SIGTERM. `read_folder` returns the mails. Started again with the same folder
and port, it is the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hmac
import json
import os
import re
import secrets
import signal
import ssl
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import trustme
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

MECHANISMS = ("CRAM-MD5", "PLAIN", "LOGIN")
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
LONGEST_LOGIN = 12_288
"""Octets of an AUTH command (RFC 4954 section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One accepted mail: the envelope, and the content byte for byte."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    user: str
    """The authenticated user, "" for none."""
    tls: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


# --- Actions ----------------------------------------------------------------------------------------------------------


async def drop(session: Session) -> None:
    """Abort the connection without a reply."""
    session.abort()


async def hang(session: Session) -> None:
    """Send nothing until the client disconnects."""
    await asyncio.Event().wait()


def trickle(text: bytes, pause: float) -> Action:
    """Send `text` byte by byte, with `pause` seconds after each byte."""

    async def act(session: Session) -> None:
        for byte in text:
            await session.send(bytes([byte]))
            await asyncio.sleep(pause)

    return act


def flood(chunk: bytes, megabytes: int = 64) -> Action:
    """Send `chunk` again and again until the client disconnects, at most this many megabytes."""

    async def act(session: Session) -> None:
        for _ in range(megabytes * 2**20 // len(chunk) + 1):
            await session.send(chunk)

    return act


Action = str | bytes | Callable[["Session"], Awaitable[None]]
"""A reply (without its line end), raw bytes, or a function of the session."""


class Session(SMTP):
    """One connection."""

    def __init__(self, upstream: Upstream, **options: Any) -> None:
        self.line_length_limit = LONGEST_LOGIN
        self.command_size_limits = defaultdict(lambda: self.command_size_limit)
        super().__init__(_Handler(upstream), loop=asyncio.get_running_loop(), **options)
        self.command_size_limits["AUTH"] = LONGEST_LOGIN
        self._upstream = upstream
        self._skip_next_reply = False
        self.content_size = 0
        self._smtp_methods = {name: partial(self._run_command, name, do) for name, do in self._smtp_methods.items()}

    @property
    def tls(self) -> bool:
        return cast(asyncio.Transport, self.transport).get_extra_info("sslcontext") is not None

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        if self.transport is not None:
            with contextlib.suppress(AttributeError):  # Python before 3.11.5, after the end of a TLS connection
                cast(asyncio.Transport, self.transport).abort()

    async def run_action(self, *places: str) -> bool:
        """Run the action of the first of these places that has one. Returns False if none has."""
        action = self._upstream.take_action(*places)
        if action is None:
            return False
        if isinstance(action, str):
            await self.send(action.encode() + b"\r\n")
        elif isinstance(action, bytes):
            await self.send(action)
        else:
            await action(self)
        return True

    async def push(self, status: Any) -> None:
        if self._skip_next_reply:  # an action has replied instead
            self._skip_next_reply = False
        else:
            await super().push(status)

    def skip_next_reply(self) -> None:
        self._skip_next_reply = True

    async def _handle_client(self) -> None:
        self._upstream.connections += 1
        if await self.run_action("GREETING"):
            self.skip_next_reply()
        await super()._handle_client()

    async def _run_command(self, name: str, do: Callable[[str | None], Awaitable[None]], arg: str | None) -> None:
        self._upstream.commands.append(f"{name} {arg or ''}".strip())
        address = (arg or "").partition("<")[2].partition(">")[0]
        if await self.run_action(f"{name} {address}", name):
            return
        if name == "STARTTLS" and self._upstream.has_action("TLS"):
            await self.push("220 2.0.0 go ahead")
            await self.run_action("TLS")
        elif name == "MAIL" and self._upstream.requires_login and not cast(Any, self.session).authenticated:
            await self.push("530 5.7.0 Authentication required")
        else:
            await do(arg)


class _Handler:
    """The hooks that aiosmtpd calls."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's name
        self, server: Session, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        kept = [line for line in responses if line.strip() != "250-AUTH"]
        return [line for line in kept if line[4:].split()[0] not in self._upstream.without]

    async def handle_DATA(self, server: Session, session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        server.content_size = len(envelope.content)
        if await server.run_action("DOT"):
            server.skip_next_reply()
            return ""
        user = session.auth_data.login.decode() if session.authenticated else ""
        self._upstream.store(
            Mail(
                sender=envelope.mail_from,
                recipients=tuple(envelope.rcpt_tos),
                raw=bytes(envelope.content),
                user=user,
                tls=server.tls,
            )
        )
        if await server.run_action("ACCEPTED"):
            server.skip_next_reply()
        return "250 2.0.0 accepted"

    async def auth_CRAM__MD5(self, server: Session, args: Sequence[str]) -> AuthResult:  # noqa: N802 -- likewise
        challenge = f"<{secrets.token_hex(8)}@upstream.test>"
        response = await server.challenge_auth(challenge)
        if response is MISSING:
            return AuthResult(success=False, handled=True)
        name, _, digest = response.decode().rpartition(" ")
        expected = hmac.new(self._upstream.users.get(name, "").encode(), challenge.encode(), "md5").hexdigest()
        matches = name in self._upstream.users and hmac.compare_digest(expected, digest)
        return AuthResult(success=matches, handled=False, auth_data=LoginPassword(name.encode(), b""))

    async def auth_XOAUTH2(self, server: Session, args: Sequence[str]) -> AuthResult:  # noqa: N802 -- likewise
        return await self._token_login(server, "XOAUTH2", args)

    async def auth_OAUTHBEARER(self, server: Session, args: Sequence[str]) -> AuthResult:  # noqa: N802 -- likewise
        return await self._token_login(server, "OAUTHBEARER", args)

    async def _token_login(self, server: Session, mechanism: str, args: Sequence[str]) -> AuthResult:
        """Check user and token; a refusal is first explained in a 334 reply (RFC 7628 section 3.2.3)."""
        given = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        text = "" if given is MISSING else given.decode()
        found = re.search("user=([^\x01]*)" if mechanism == "XOAUTH2" else "^n,a=([^,]*),", text)
        token = re.search("\x01auth=Bearer ([^\x01]*)\x01\x01$", text)
        user = found[1].replace("=2C", ",").replace("=3D", "=") if found else ""
        login = LoginPassword(user.encode(), b"")
        if token and self._upstream.tokens and self._upstream.tokens(user, token[1]):
            return AuthResult(success=True, handled=False, auth_data=login)
        answer = await server.challenge_auth(json.dumps({"status": "401", "scope": "https://mail.example/"}))
        assert answer == (b"" if mechanism == "XOAUTH2" else b"\x01")
        return AuthResult(success=False, handled=False, auth_data=login)

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, login: LoginPassword) -> AuthResult:
        matches = self._upstream.users.get(login.login.decode()) == login.password.decode()
        return AuthResult(success=matches, handled=False, auth_data=login)


# --- The server -------------------------------------------------------------------------------------------------------


class Upstream:
    """A mail server in a thread of its own. `mails` are the mails it accepted, `commands` the lines it received."""

    def __init__(
        self,
        *,
        security: str = "none",
        certificate: trustme.LeafCert | None = None,
        users: Mapping[str, str] | None = None,
        tokens: Callable[[str, str], bool] | None = None,
        mechanisms: Sequence[str] = (*MECHANISMS, *TOKEN_MECHANISMS),
        without: Sequence[str] = (),
        smtputf8: bool = True,
        max_size: int = 32 * 2**20,
        port: int = 0,
        folder: Path | None = None,
    ) -> None:
        """`users` (name → password) requires AUTH by one of `mechanisms`; `without` names extensions not to offer.

        `tokens` requires AUTH with an access token, and says whether user and token are right.
        """
        self.host = "localhost"
        self.port = port
        self.users = dict(users or {})
        self.tokens = tokens
        self.requires_login = bool(users or tokens)
        self.without = frozenset(without)
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        self.connections = 0
        self._actions: dict[str, list[list[Any]]] = defaultdict(list)
        self._folder = folder
        self._security = security
        self._tls = _server_context(certificate) if certificate else None
        offered = {*(MECHANISMS if users else ()), *(TOKEN_MECHANISMS if tokens else ())} & set(mechanisms)
        self._options: dict[str, Any] = {
            "hostname": "upstream.test",
            "enable_SMTPUTF8": smtputf8,
            "data_size_limit": max_size,
            "auth_require_tls": security == "starttls",
            "auth_exclude_mechanism": {*MECHANISMS, *TOKEN_MECHANISMS} - offered,
            "tls_context": self._tls if security == "starttls" else None,
            "require_starttls": security == "starttls",
        }
        self._mail_arrived = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before."""
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        if not listening.wait(10):
            raise RuntimeError("the test's mail server did not start")

    def stop(self) -> None:
        """Abort every connection and stop listening."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)
            self._thread = None

    def say(self, place: str, action: Action, times: int | None = None) -> None:
        """Run `action` at `place` from now on, or `times` times, after the actions that were set there before."""
        self._actions[place].append([action, times])

    def reset(self) -> None:
        """Remove all actions: behave as a correct server again."""
        self._actions.clear()

    def wait_for(self, mails: int, seconds: float = 10.0) -> None:
        """Wait until this many mails were accepted. Raises TimeoutError."""
        with self._mail_arrived:
            if not self._mail_arrived.wait_for(lambda: len(self.mails) >= mails, seconds):
                raise TimeoutError(f"{len(self.mails)} of {mails} mails arrived")

    def has_action(self, place: str) -> bool:
        return bool(self._actions.get(place))

    def take_action(self, *places: str) -> Action | None:
        for place in places:
            if self.has_action(place):
                entry = self._actions[place][0]
                if entry[1] is not None:
                    entry[1] -= 1
                    if entry[1] == 0:
                        self._actions[place].pop(0)
                return cast(Action, entry[0])
        return None

    def store(self, mail: Mail) -> None:
        if self._folder is not None:
            _write(self._folder, mail)
        with self._mail_arrived:
            self.mails.append(mail)
            self._mail_arrived.notify_all()

    async def _serve(self, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        sessions: list[Session] = []

        def session() -> Session:
            sessions.append(Session(self, authenticator=None, **self._options))
            sessions[-1]._authenticator = sessions[-1].event_handler.check
            return sessions[-1]

        tls = self._tls if self._security == "tls" else None
        server = await self._loop.create_server(session, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await self._stopping.wait()
        server.close()
        for _ in range(2):  # a connection may have been accepted just now
            for each in sessions:
                each.abort()
            await asyncio.sleep(0.01)  # lets the loop handle the closed connections


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


# --- As a process -----------------------------------------------------------------------------------------------------


def _write(folder: Path, mail: Mail) -> None:
    """Write a mail and its envelope: durable, and complete or not at all."""
    name = f"{time.time_ns():020}-{secrets.token_hex(4)}"
    envelope = {key: value for key, value in asdict(mail).items() if key != "raw"}
    for suffix, content in ((".json", json.dumps(envelope).encode()), (".eml", mail.raw)):
        with (folder / f".{name}{suffix}").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (folder / f".{name}{suffix}").rename(folder / f"{name}{suffix}")


def read_folder(folder: Path) -> list[Mail]:
    """Return the accepted mails in their order."""
    mails = []
    for path in sorted(folder.glob("[0-9]*.eml")):
        envelope = json.loads(path.with_suffix(".json").read_text())
        mails.append(Mail(raw=path.read_bytes(), **{**envelope, "recipients": tuple(envelope["recipients"])}))
    return mails


def authority_in(folder: Path) -> trustme.CA:
    """Return the certificate authority of a folder, created if missing; `ca.pem` is its certificate."""
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if not certificate.exists():
        authority = trustme.CA()
        authority.private_key_pem.write_to_path(key)
        authority.cert_pem.write_to_path(certificate)
    return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.upstream", description="a mail server for tests")
    parser.add_argument("folder", type=Path, help="where mails and the certificate authority are kept")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--security", choices=("starttls", "tls", "none"), default="starttls")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="offer and require AUTH")
    parser.add_argument("--say", action="append", default=[], metavar="PLACE=REPLY", help="e.g. 'DATA=451 later'")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    upstream = Upstream(
        security=options.security,
        certificate=authority_in(options.folder).issue_cert("localhost", "127.0.0.1"),
        users=dict(user.split(":", 1) for user in options.user),
        port=options.port,
        folder=options.folder,
    )
    for rule in options.say:
        upstream.say(*rule.split("=", 1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with upstream:
        ready = {"host": upstream.host, "port": upstream.port, "ca_file": str(options.folder / "ca.pem")}
        print(json.dumps(ready), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
