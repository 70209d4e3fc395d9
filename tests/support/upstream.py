"""The mail server that a test has digests delivered to: real SMTP (aiosmtpd), told where to misbehave.

In a test:

    with Upstream(security="starttls", certificate=authority.issue_cert("localhost"), users={"relay": "s3cret"}) as up:
        up.say("RCPT nobody@example.com", "550 5.1.1 nobody here")   # instead of what it would have said
        up.say("TAKEN", drop, times=1)                               # takes the next mail, hangs up without a word
        …
        assert [mail.recipients for mail in up.mails] == [("admin@example.com",)]

`stop()` and `start()` take it away and bring it back on the same port. Places where it can be told what to say:
GREETING, EHLO, HELO, STARTTLS, TLS (the handshake), AUTH, MAIL, RCPT, `RCPT someone@example.com`, DATA,
DOT (after the content, which it does not take), TAKEN (after the content, which it took), QUIT.

As a process: `python -m tests.support.upstream FOLDER` keeps its authority in FOLDER (`ca.pem`: for
`upstream.ca_file`), each accepted mail in a file there before it is acknowledged, and prints `{"host": …, "port": …,
"ca_file": …}` once it listens; it ends on SIGTERM. `read_folder` gives back the mails. Started again on the same folder
and port it is the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import json
import os
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail that was taken: the envelope, and the content byte for byte."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    user: str
    """Who had authenticated, "" for nobody."""
    tls: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


# --- What it can be told to do ----------------------------------------------------------------------------------------


async def drop(session: Session) -> None:
    """Cut the connection without a word."""
    session.cut()


async def hang(session: Session) -> None:
    """Say nothing until the client goes."""
    await asyncio.Event().wait()


def trickle(text: bytes, pause: float) -> Action:
    """Say it byte by byte."""

    async def play(session: Session) -> None:
        for byte in text:
            await session.say(bytes([byte]))
            await asyncio.sleep(pause)

    return play


def flood(chunk: bytes, megabytes: int = 64) -> Action:
    """Say it again and again until the client goes; gives up after so many megabytes."""

    async def play(session: Session) -> None:
        for _ in range(megabytes * 2**20 // len(chunk) + 1):
            await session.say(chunk)

    return play


Action = str | bytes | Callable[["Session"], Awaitable[None]]
"""A reply (without its line end), bytes as they are, or what is done with the connection."""


class Session(SMTP):
    """One connection."""

    def __init__(self, upstream: Upstream, **options: Any) -> None:
        super().__init__(_Handler(upstream), loop=asyncio.get_running_loop(), **options)
        self._upstream = upstream
        self._mute = False
        self.content_size = 0
        self._smtp_methods = {name: partial(self._obey, name, do) for name, do in self._smtp_methods.items()}

    @property
    def tls(self) -> bool:
        return cast(asyncio.Transport, self.transport).get_extra_info("sslcontext") is not None

    async def say(self, words: bytes) -> None:
        self._writer.write(words)
        await self._writer.drain()

    def cut(self) -> None:
        if self.transport is not None:
            with contextlib.suppress(AttributeError):  # Python before 3.11.5, of a TLS connection that has ended
                cast(asyncio.Transport, self.transport).abort()

    async def play(self, *places: str) -> bool:
        """Do what was told for the first of these places that has something; False where there is nothing."""
        action = self._upstream.take_action(*places)
        if action is None:
            return False
        if isinstance(action, str):
            await self.say(action.encode() + b"\r\n")
        elif isinstance(action, bytes):
            await self.say(action)
        else:
            await action(self)
        return True

    async def push(self, status: Any) -> None:
        if self._mute:  # something else was said in its place
            self._mute = False
        else:
            await super().push(status)

    def mute(self) -> None:
        self._mute = True

    async def _handle_client(self) -> None:
        self._upstream.connections += 1
        if await self.play("GREETING"):
            self.mute()
        await super()._handle_client()

    async def _obey(self, name: str, do: Callable[[str | None], Awaitable[None]], arg: str | None) -> None:
        self._upstream.commands.append(f"{name} {arg or ''}".strip())
        address = (arg or "").partition("<")[2].partition(">")[0]
        if await self.play(f"{name} {address}", name):
            return
        if name == "STARTTLS" and self._upstream.has_action("TLS"):
            await self.push("220 2.0.0 go ahead")
            await self.play("TLS")
        elif name == "MAIL" and self._upstream.users and not cast(Any, self.session).authenticated:
            await self.push("530 5.7.0 Authentication required")
        else:
            await do(arg)


class _Handler:
    """What aiosmtpd asks."""

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
        if await server.play("DOT"):
            server.mute()
            return ""
        user = session.auth_data.login.decode() if session.authenticated else ""
        self._upstream.keep(
            Mail(
                sender=envelope.mail_from,
                recipients=tuple(envelope.rcpt_tos),
                raw=bytes(envelope.content),
                user=user,
                tls=server.tls,
            )
        )
        if await server.play("TAKEN"):
            server.mute()
        return "250 2.0.0 taken"

    async def auth_CRAM__MD5(self, server: Session, args: Sequence[str]) -> AuthResult:  # noqa: N802 -- likewise
        challenge = f"<{secrets.token_hex(8)}@upstream.test>"
        answer = await server.challenge_auth(challenge)
        if answer is MISSING:
            return AuthResult(success=False, handled=True)
        name, _, digest = answer.decode().rpartition(" ")
        right = hmac.new(self._upstream.users.get(name, "").encode(), challenge.encode(), "md5").hexdigest()
        matches = name in self._upstream.users and hmac.compare_digest(right, digest)
        return AuthResult(success=matches, handled=False, auth_data=LoginPassword(name.encode(), b""))

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, login: LoginPassword) -> AuthResult:
        matches = self._upstream.users.get(login.login.decode()) == login.password.decode()
        return AuthResult(success=matches, handled=False, auth_data=login)


# --- The server -------------------------------------------------------------------------------------------------------


class Upstream:
    """A mail server in a thread of its own. `mails` holds what it took, `commands` each line it was told."""

    def __init__(
        self,
        *,
        security: str = "none",
        certificate: trustme.LeafCert | None = None,
        users: Mapping[str, str] | None = None,
        mechanisms: Sequence[str] = MECHANISMS,
        without: Sequence[str] = (),
        smtputf8: bool = True,
        max_size: int = 32 * 2**20,
        port: int = 0,
        folder: Path | None = None,
    ) -> None:
        """`users` (name → password) makes AUTH by `mechanisms` required; `without` names extensions not to offer."""
        self.host = "localhost"
        self.port = port
        self.users = dict(users or {})
        self.without = frozenset(without)
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        self.connections = 0
        self._actions: dict[str, list[list[Any]]] = defaultdict(list)
        self._folder = folder
        self._security = security
        self._tls = _server_context(certificate) if certificate else None
        self._options: dict[str, Any] = {
            "hostname": "upstream.test",
            "enable_SMTPUTF8": smtputf8,
            "data_size_limit": max_size,
            "auth_require_tls": security == "starttls",
            "auth_exclude_mechanism": set(MECHANISMS) - (set(mechanisms) if users else set()),
            "tls_context": self._tls if security == "starttls" else None,
            "require_starttls": security == "starttls",
        }
        self._news = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the port it had before."""
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        if not listening.wait(10):
            raise RuntimeError("the test's mail server did not come up")

    def stop(self) -> None:
        """Cut every connection and listen no more."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)
            self._thread = None

    def say(self, place: str, action: Action, times: int | None = None) -> None:
        """Do `action` at `place` from now on, or the next so many times (after what was told before)."""
        self._actions[place].append([action, times])

    def forget(self) -> None:
        """Do again as a good server does."""
        self._actions.clear()

    def wait_for(self, mails: int, seconds: float = 10.0) -> None:
        """Wait until so many mails were taken. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.mails) >= mails, seconds):
                raise TimeoutError(f"{len(self.mails)} of {mails} mails came")

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

    def keep(self, mail: Mail) -> None:
        if self._folder is not None:
            _write(self._folder, mail)
        with self._news:
            self.mails.append(mail)
            self._news.notify_all()

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
        for _ in range(2):  # one may have been accepted just now
            for each in sessions:
                each.cut()
            await asyncio.sleep(0.01)  # lets the connections' ends be seen


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


# --- As a process -----------------------------------------------------------------------------------------------------


def _write(folder: Path, mail: Mail) -> None:
    """Keep a mail and its envelope: durable, and whole or not at all."""
    name = f"{time.time_ns():020}-{secrets.token_hex(4)}"
    envelope = {key: value for key, value in asdict(mail).items() if key != "raw"}
    for suffix, content in ((".json", json.dumps(envelope).encode()), (".eml", mail.raw)):
        with (folder / f".{name}{suffix}").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (folder / f".{name}{suffix}").rename(folder / f"{name}{suffix}")


def read_folder(folder: Path) -> list[Mail]:
    """The mails that were taken, in their order."""
    mails = []
    for path in sorted(folder.glob("[0-9]*.eml")):
        envelope = json.loads(path.with_suffix(".json").read_text())
        mails.append(Mail(raw=path.read_bytes(), **{**envelope, "recipients": tuple(envelope["recipients"])}))
    return mails


def authority_in(folder: Path) -> trustme.CA:
    """The certificate authority kept in a folder, made where there is none; `ca.pem` is its certificate."""
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
    for told in options.say:
        upstream.say(*told.split("=", 1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with upstream:
        ready = {"host": upstream.host, "port": upstream.port, "ca_file": str(options.folder / "ca.pem")}
        print(json.dumps(ready), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
