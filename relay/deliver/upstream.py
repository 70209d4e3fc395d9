"""The upstream mail server: `Upstream.deliver` tries to deliver one message once, over a connection of its own.

Servers look addresses up, so a session can fail at one recipient (421, no reply). If that happens twice at the same
recipient, or if the server hangs up after a refusal, the others are tried without that one: nobody misses a mail
because of another address.

Guarantee: `deliver` returns within fourteen times `timeout`, whatever the server does (ten for everything before the
content, so that a slow but correct server succeeds; four for the content and its reply), or within a few seconds of
`abort`. Memory is bounded by the message and a reply of 32 KiB. A connection that must use STARTTLS never continues
without it. No password is sent unencrypted unless `auth_in_clear` is set. No text it returns contains a credential.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from relay import config
from relay.deliver.client import EventLoop
from relay.deliver.ehlo_name import ehlo_name
from relay.deliver.oauth2.source import TokenSource
from relay.deliver.replies import MAX_TEXT, Scrub, UpstreamFailed
from relay.deliver.session import Session
from relay.deliver.transcript import Show
from relay.errors import Interrupted
from relay.model import Attempt, Failure, RecipientReply, Verdict

TIMEOUTS_BEFORE_CONTENT = 10
"""Limit of all steps up to the content together, in multiples of the timeout of one step."""
TIMEOUTS_FOR_CONTENT = 4
"""Limit of the content and its reply, likewise: content filters need time (RFC 1047)."""
ABORT_GRACE = 4.0
"""Seconds that `abort` leaves the server to reply to a content that is already on its way."""

STOPPED = "the relay is stopping; nothing was delivered"

TrySession = Callable[[Sequence[str], float], Awaitable[tuple[Attempt, Session]]]
"""Tries the message once for some recipients, until a time of the loop's clock; also returns the session."""


class Upstream:
    """The mail server that accepts the digests. One thread calls `deliver`; any thread may call `abort`."""

    def __init__(
        self,
        settings: config.Upstream,
        *,
        sender: str = "",
        helo: str = "",
        show: Show | None = None,
        tokens: TokenSource | None = None,
    ) -> None:
        """Read the password; connect to nothing yet. Raises ConfigError if the file of the password cannot be read.

        `sender` and `helo` (the name of this machine, by default the system's) are for the name in EHLO; see
        `ehlo_name`. `show` gets each line of the dialogue, without the credentials. `tokens` gives the access tokens,
        if the login needs one instead of a password.
        """
        self._settings = settings
        self._password = settings.secret("password") or ""
        self._tokens = tokens
        self._sender = sender
        self._machine = helo
        self._helo = ""
        self._show = show
        self._scrub = Scrub(settings.username, self._password)
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, Callable[[], None]] | None = None
        self._stopped = False
        self._suspects: set[str] = set()
        """Recipients at which a session failed, and that were not accepted since."""

    @property
    def max_duration(self) -> timedelta:
        """The longest time that one `deliver` takes."""
        return self._settings.timeout * (TIMEOUTS_BEFORE_CONTENT + TIMEOUTS_FOR_CONTENT)

    def __str__(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Try once to deliver `raw` (a complete mail) from `sender` to each of `recipients`.

        Calls `before_data` after the server accepted at least one recipient and before any of the content is sent. An
        exception from it ends the try and is raised again. Raises Interrupted after `abort`; then nothing was
        delivered.
        """

        async def try_session(some: Sequence[str], deadline: float) -> tuple[Attempt, Session]:
            session = await self._session(sender)

            async def send(limit: asyncio.Timeout) -> None:
                def before_content() -> None:
                    # If the limit passes together with a reply, wait_for of Python 3.11 swallows the cancellation.
                    if limit.expired():
                        raise TimeoutError
                    before_data()
                    self._extend(limit)

                await session.send(raw, sender, some, before_content)

            return await self._try(session, send, deadline), session

        with asyncio.Runner(loop_factory=EventLoop) as runner:
            return runner.run(self._try_without_failing_recipients(try_session, recipients))

    def check(self) -> Attempt:
        """Connect, secure the connection and log in as `deliver` does, then say QUIT; `failure` says what failed.

        Raises Interrupted after `abort`.
        """

        async def nothing(_limit: asyncio.Timeout) -> None:
            """Send no mail."""

        async def open_and_close() -> Attempt:
            deadline = asyncio.get_running_loop().time() + self._seconds(TIMEOUTS_BEFORE_CONTENT)
            return await self._try(await self._session(), nothing, deadline)

        with asyncio.Runner(loop_factory=EventLoop) as runner:
            return runner.run(open_and_close())

    async def _session(self, sender: str = "") -> Session:
        self._helo = self._helo or await ehlo_name(
            self._settings.ehlo_name, self._sender or sender, machine=self._machine
        )
        return Session(
            self._settings,
            password=self._password,
            tokens=self._tokens,
            helo=self._helo,
            scrub=self._scrub,
            show=self._show,
        )

    def abort(self) -> None:
        """Stop for good, from any thread: a running try ends at once, or soon if the content is already on its way."""
        with self._lock:
            self._stopped = True
            if self._running:
                loop, end_soon = self._running
                loop.call_soon_threadsafe(end_soon)

    async def _try_without_failing_recipients(self, try_session: TrySession, recipients: Sequence[str]) -> Attempt:
        """Try the message. After a failure at one recipient, try it again at once without that recipient.

        This applies to recipients that were refused, and to those at which a session failed before. A first failure
        may come from the network: all recipients are tried again together, later. If a second session in a row fails
        without a reply about any recipient, the server is the cause, and no third session follows.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds(TIMEOUTS_BEFORE_CONTENT)
        left_out: dict[str, RecipientReply] = {}
        while True:
            attempt, session = await try_session([each for each in recipients if each not in left_out], deadline)
            failing = self._failing_recipients(attempt, session)
            self._suspects.difference_update(session.accepted)
            if not attempt.failure:
                return replace(attempt, replies={**attempt.replies, **left_out})
            if session.pending_recipient:
                self._suspects.add(session.pending_recipient)
            others = len(recipients) > len(left_out) + len(failing)
            server_works = not left_out or session.accepted or session.replies
            if session.pending_recipient and len(recipients) == 1:
                return replace(attempt, detail=f"{attempt.detail}, for {session.pending_recipient}")
            if not (failing and others and server_works) or loop.time() + self._seconds(1) > deadline:
                return attempt
            left_out |= failing

    def _failing_recipients(self, attempt: Attempt, session: Session) -> dict[str, RecipientReply]:
        """Return the recipients at which this session may have failed, with their replies.

        These are the refused ones, since some servers hang up after a refusal. Without a refusal, it is the recipient
        whose reply is missing, if a session failed there before.
        """
        recipient = session.pending_recipient
        if session.replies or not recipient:
            return session.replies
        if recipient not in self._suspects and attempt.failure is not Failure.AUTH:
            return {}
        text = attempt.detail.removeprefix(f"{self}: ")[:MAX_TEXT]
        return {recipient: RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=text, step="RCPT")}

    async def _try(
        self, session: Session, send: Callable[[asyncio.Timeout], Awaitable[None]], deadline: float
    ) -> Attempt:
        limit = asyncio.timeout_at(deadline)
        done = False
        try:
            async with limit:
                self._register_for_abort(session, limit)
                await session.open()
                await send(limit)
            done = True
            return Attempt(replies=session.replies)
        except UpstreamFailed as failed:
            return self._failed_attempt(session, failed.failure, failed.detail)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._timed_out(session)
        finally:
            with self._lock:
                self._running = None
            await session.close(send_quit=done and not self._stopped)

    def _register_for_abort(self, session: Session, limit: asyncio.Timeout) -> None:
        """Let `abort` end this try. Raises Interrupted if it was called already."""
        loop = asyncio.get_running_loop()

        def end_soon() -> None:
            with suppress(RuntimeError):  # the try has just ended by itself
                limit.reschedule(loop.time() + (ABORT_GRACE if session.content_started else 0))

        with self._lock:
            if self._stopped:
                raise Interrupted(STOPPED)
            self._running = (loop, end_soon)

    def _seconds(self, timeouts: int) -> float:
        return (self._settings.timeout * timeouts).total_seconds()

    def _extend(self, limit: asyncio.Timeout) -> None:
        """Give the content and its reply a limit of their own, unless `abort` was called meanwhile."""
        with self._lock:
            if not self._stopped:
                limit.reschedule(asyncio.get_running_loop().time() + self._seconds(TIMEOUTS_FOR_CONTENT))

    def _timed_out(self, session: Session) -> Attempt:
        if session.content_started:
            return Attempt(replies=session.replies)
        if self._stopped:
            raise Interrupted(STOPPED)
        text = f"the whole try took longer than {self._seconds(TIMEOUTS_BEFORE_CONTENT):g} s; it was at {session.step}"
        return self._failed_attempt(session, Failure.UNREACHABLE, text)

    def _failed_attempt(self, session: Session, failure: Failure, detail: str) -> Attempt:
        # At RCPT the credentials were accepted before: only there a reply about them concerns this message alone.
        login_refused = failure is Failure.AUTH and not session.pending_recipient
        begun = session.begun and not login_refused
        return Attempt(replies={}, failure=failure, detail=f"{self}: {detail}", begun=begun)
