"""The real mail server: `Upstream.deliver` tries one letter once, over a connection of its own.

Where that breaks again and again at one recipient of several (421, no answer: servers look addresses up; a hang-up
behind a refusal), the others are tried without that one: nobody loses a mail to somebody else's address.

Guarantee: it returns within fourteen times `timeout`, whatever the other side does (ten for all that comes before the
content, so that a slow and honest server is served; four for its word on the content), or within a few seconds of
`abort`; memory is bounded by the letter and a reply of 32 KiB. STARTTLS is never done without, no password goes
over the wire in clear unless asked for by name, and no credential is in a text it returns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from relay import config
from relay.deliver.client import Loop
from relay.deliver.replies import MAX_TEXT, Failed, Scrub
from relay.deliver.session import Session
from relay.errors import Interrupted
from relay.model import Attempt, Failure, RecipientReply, Verdict

PATIENCE = 10
"""All steps together, up to the content, may last this many times the timeout of one."""
PATIENCE_FOR_WORD = 4
"""Its word on the content likewise: content filters take their time (RFC 1047)."""
GRACE = 4.0
"""Seconds that `abort` leaves the upstream for its word on a content that was already sent."""

STOPPED = "the relay is being stopped; nothing was handed over"

TryFor = Callable[[Sequence[str], float], Awaitable[tuple[Attempt, Session]]]
"""Tries the letter once for some recipients, up to a moment of the loop's clock; also says how far that came."""


class Upstream:
    """The mail server that takes the digests. `deliver` is for one thread; `abort` may come from any other."""

    def __init__(self, settings: config.Upstream, *, helo: str = "") -> None:
        password = settings.password.get_secret_value() if settings.password else ""
        self._settings = settings
        self._helo = helo
        self._scrub = Scrub(settings.username, password)
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, Callable[[], None]] | None = None
        self._stopped = False
        self._broke_at: set[str] = set()
        """Recipients at whom a try broke and who were not accepted since."""

    @property
    def longest(self) -> timedelta:
        """The longest that one `deliver` takes."""
        return self._settings.timeout * (PATIENCE + PATIENCE_FOR_WORD)

    def __str__(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Try to hand `raw` (a whole mail) over from `sender` to each of `recipients`, once.

        `before_data` is called when at least one recipient was accepted and nothing of the content was sent yet; what
        it raises ends the try there and is raised on. Raises Interrupted after `abort`, with nothing handed over.
        """

        async def try_for(some: Sequence[str], deadline: float) -> tuple[Attempt, Session]:
            session = Session(self._settings, helo=self._helo, scrub=self._scrub)

            async def hand_over(limit: asyncio.Timeout) -> None:
                def now_the_content() -> None:
                    before_data()
                    self._extend(limit)

                await session.hand_over(raw, sender, some, now_the_content)

            return await self._try(session, hand_over, deadline), session

        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(self._without_stumbling(try_for, recipients))

    def abort(self) -> None:
        """Stop for good, from any thread: a try under way ends at once, or soon where the content was sent already."""
        with self._lock:
            self._stopped = True
            if self._running:
                loop, hurry = self._running
                loop.call_soon_threadsafe(hurry)

    async def _without_stumbling(self, try_for: TryFor, recipients: Sequence[str]) -> Attempt:
        """Try it; where it breaks at one who was refused, or at whom it broke before, at once again without that one.

        A first time may be the network's: all are tried again together, later. A second try in a row that breaks
        before it has had a word on anybody is the last one: that is the server, no address.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds(PATIENCE)
        left_out: dict[str, RecipientReply] = {}
        while True:
            attempt, session = await try_for([each for each in recipients if each not in left_out], deadline)
            culprits = self._culprits(attempt, session)
            self._broke_at.difference_update(session.accepted)
            if not attempt.failure:
                return replace(attempt, replies={**attempt.replies, **left_out})
            if session.asked:
                self._broke_at.add(session.asked)
            others = len(recipients) > len(left_out) + len(culprits)
            hopeful = not left_out or session.accepted or session.answers
            if session.asked and len(recipients) == 1:
                return replace(attempt, detail=f"{attempt.detail}, for {session.asked}")
            if not (culprits and others and hopeful) or loop.time() + self._seconds(1) > deadline:
                return attempt
            left_out |= culprits

    def _culprits(self, attempt: Attempt, session: Session) -> dict[str, RecipientReply]:
        """Whom a try failed for: who was refused in it (some hang up behind that), else who was asked last, again."""
        if session.answers or not session.asked:
            return session.answers
        if session.asked not in self._broke_at and attempt.failure is not Failure.AUTH:
            return {}
        words = attempt.detail.removeprefix(f"{self}: ")[:MAX_TEXT]
        return {session.asked: RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=words, step="RCPT")}

    async def _try(
        self, session: Session, hand_over: Callable[[asyncio.Timeout], Awaitable[None]], deadline: float
    ) -> Attempt:
        limit = asyncio.timeout_at(deadline)
        done = False
        try:
            async with limit:
                self._announce(session, limit)
                await session.open()
                await hand_over(limit)
            done = True
            return Attempt(replies=session.answers)
        except Failed as failure:
            return self._trouble(session, failure.trouble, failure.detail)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._overrun(session)
        finally:
            with self._lock:
                self._running = None
            await session.close(politely=done and not self._stopped)

    def _announce(self, session: Session, limit: asyncio.Timeout) -> None:
        """Let `abort` reach this try."""
        loop = asyncio.get_running_loop()

        def hurry() -> None:
            with suppress(RuntimeError):  # the try has just ended by itself
                limit.reschedule(loop.time() + (GRACE if session.sent else 0))

        with self._lock:
            if self._stopped:
                raise Interrupted(STOPPED)
            self._running = (loop, hurry)

    def _seconds(self, steps: int) -> float:
        return (self._settings.timeout * steps).total_seconds()

    def _extend(self, limit: asyncio.Timeout) -> None:
        """Let the content and the word on it have a limit of their own, unless `abort` was called meanwhile."""
        with self._lock:
            if not self._stopped:
                limit.reschedule(asyncio.get_running_loop().time() + self._seconds(PATIENCE_FOR_WORD))

    def _overrun(self, session: Session) -> Attempt:
        if session.sent:
            return Attempt(replies=session.answers)
        if self._stopped:
            raise Interrupted(STOPPED)
        words = f"the whole try took longer than {self._seconds(PATIENCE):g} s; it was at {session.phase}"
        return self._trouble(session, Failure.UNREACHABLE, words)

    def _trouble(self, session: Session, trouble: Failure, detail: str) -> Attempt:
        about_us = trouble is Failure.AUTH and not session.asked  # credentials that were good until RCPT are good
        begun = session.begun and not about_us
        return Attempt(replies={}, failure=trouble, detail=f"{self}: {detail}", begun=begun)
