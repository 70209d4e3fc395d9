"""One client's connection: its bytes, its time, its end. The one place that knows aiosmtpd.

Of aiosmtpd's SMTP this uses the life of a connection; its command loop, its DATA and its
commands are replaced, since they let exceptions out, refuse long lines and set no bounds.

Guarantee: each command has exactly one reply, no exception's text ever leaves the process,
and nobody stays longer than the limits let him, whatever he sends or fails to read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from typing import cast

from aiosmtpd.smtp import SMTP

from relay.model import Envelope
from relay.receive import replies
from relay.receive.content import Content
from relay.receive.dialogue import LONGEST_LINE, Dialogue
from relay.receive.reception import Reception
from relay.receive.replies import Refusal
from relay.receive.stream import LineTooLong, Stream

_FAREWELL = 2.0
"""Seconds for a last reply to get out before the connection is cut."""

_log = logging.getLogger(__name__)


class _NoHooks:
    """The library lists the members of its handler for each connection: this one has none."""

    def __dir__(self) -> list[str]:
        return []


_NO_HOOKS = _NoHooks()


class Connection(SMTP):
    """The protocol of one connection; aiosmtpd runs `_handle_client` as its task."""

    _deadline = math.inf
    _turned_away = False

    def __init__(self, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        limits = reception.limits
        super().__init__(_NO_HOOKS, hostname=limits.hostname, timeout=limits.idle_timeout, loop=loop)
        self.peer = ""
        self._reception = reception
        self._stream = Stream()
        self._dialogue = Dialogue(self, limits)

    def __dir__(self) -> list[str]:
        """Nothing: the library lists members for each connection to find commands that the dialogue has in a table."""
        return []

    # --- The socket ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or away where all others are at work; after STARTTLS forget what was said in clear."""
        self._stream.attach(cast("asyncio.ReadTransport", transport))
        if self.transport is None:
            self._reception.opened()
            if not self._admitted(cast("asyncio.WriteTransport", transport)):
                return
        else:
            self._dialogue = Dialogue(self, self._reception.limits)
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""

    def _admitted(self, transport: asyncio.WriteTransport) -> bool:
        roster = self._reception.roster
        if roster.full:
            self._reception.counters.turned_away += 1
            victim = roster.expendable(self.loop.time())
            if victim is None:
                self._turned_away = True
                self._say_goodbye(transport, replies.CROWDED)
                return False
            victim.hang_up(replies.CROWDED)
        roster.enter(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client."""
        self._reception.closed()
        self._reception.roster.leave(self)
        if not self._turned_away:
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Put what came where the dialogue reads."""
        self._stream.feed(data)

    def eof_received(self) -> bool:
        """Let the dialogue go on with what has come: a client may close its half once all is sent."""
        self._stream.feed_eof()
        return self.session is not None and self.session.ssl is None  # a TLS connection has no halves

    async def push(self, status: bytes) -> None:  # type: ignore[override]  # ours are bytes throughout
        """Send a reply, without its line end, and wait while the client does not read."""
        self._reception.counters.note(status)
        self._writer.write(status + b"\r\n")
        await self._writer.drain()

    # --- The loop -----------------------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            await self.push(f"220 {self.hostname} ESMTP".encode())
            while not self._dialogue.ended:
                await self._serve_command()
        except (EOFError, ConnectionError):
            pass  # the client has gone, as clients may
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _serve_command(self) -> None:
        try:
            reply = await self._dialogue.answer(await self._next_command())
        except LineTooLong:
            reply = self._dialogue.refused(Refusal(replies.LINE_TOO_LONG))
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 -- the edge: whatever it is, the client gets a reply
            reply = self._surprised(error)
        await self.push(reply)
        if self._reception.stopping and not (self.in_transaction or self._dialogue.ended):
            self.hang_up(replies.STOPPING)

    async def _next_command(self) -> bytes:
        self._reset_timeout()
        if not self._stream.empty:
            return await self._stream.line(LONGEST_LINE)
        self._reception.roster.waits(self, self.loop.time())
        try:
            return await self._stream.line(LONGEST_LINE)
        finally:
            self._reception.roster.works(self)

    def _surprised(self, error: Exception) -> bytes:
        """Log a surprise by its kind and place, never by its text, which may hold what a client sent."""
        self._reception.counters.surprises += 1
        places = "".join(traceback.format_tb(error.__traceback__)[-3:])
        _log.error("a command failed with %s at\n%s", type(error).__name__, places)
        return replies.SURPRISE

    # --- For the dialogue ---------------------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the answer to DATA."""
        return self._dialogue.in_transaction

    async def ask(self, challenge: bytes) -> bytes:
        """Send a challenge and return the answer, both in base64. Raises Refusal, EOFError."""
        await self.push(b"334 " + challenge)
        self._reset_timeout()
        try:
            answer = await self._stream.line(LONGEST_LINE)
        except LineTooLong:
            raise Refusal(replies.ANSWER_TOO_LONG) from None
        return answer.strip()

    async def read_content(self) -> Content:
        """Read what follows DATA to its end. Raises EOFError."""
        self._reset_timeout()
        content = Content(self._reception.limits.max_size)
        while (rest := content.feed(await self._stream.some())) is None:
            pass
        self._stream.unread(rest)
        return content

    async def store(self, envelope: Envelope, content: Content) -> bytes:
        """Put the mail down and return the reply; no time of the client's runs meanwhile."""
        self._deadline = math.inf
        return await self._reception.take(envelope, content)

    # --- Time ---------------------------------------------------------------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Give the client its time from now on; nothing that it sends meanwhile prolongs it.

        Only the deadline moves: the timer is set again when it fires, which is seldom.
        """
        self._deadline = self.loop.time() + (duration or self._timeout_duration)
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    def _timeout_cb(self) -> None:
        now = self.loop.time()
        if now < self._deadline:
            again = min(self._deadline, now + self._timeout_duration)
            self._timeout_handle = self.loop.call_at(again, self._timeout_cb)
        else:
            self._reception.counters.timeouts += 1
            self.hang_up(replies.TIMEOUT)

    def hang_up(self, reply: bytes) -> None:
        """Say a last word and end the connection."""
        self._dialogue.ended = True
        self._reception.roster.leave(self)
        if self.transport is not None:
            self._say_goodbye(cast("asyncio.WriteTransport", self.transport), reply)

    def _say_goodbye(self, transport: asyncio.WriteTransport, reply: bytes) -> None:
        """Close once `reply` is out; cut off a client that does not read it (close alone would wait for ever)."""
        if not transport.is_closing():
            self._reception.counters.note(reply)
            transport.write(reply + b"\r\n")
            transport.close()
        self.loop.call_later(_FAREWELL, transport.abort)
