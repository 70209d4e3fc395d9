"""The link to one client: what goes out, how it becomes TLS, how it ends. The one place that knows aiosmtpd's SMTP.

That class stays the base of the protocol, by its released API; its loop is replaced, since it
lets exceptions out, refuses long lines, sets no bounds, and spends most of its time on a task,
a stream and log lines for each client.

A connection is in one `State` at a time:

    PROXY_HEADER ──► COMMANDS ◄──► WORKING
                        ▲ │
                        │ ▼
                     HANDSHAKE

From each of them it may go to CLOSING, and from anywhere to CLOSED, where it stays. `_NEXT` is that table. Apart from
it are whether the client reads what it is sent, whether it has closed its half, and whether TLS is on.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import cast

from aiosmtpd.smtp import SMTP

from relay.receive.buffer import Buffer
from relay.receive.intake import Intake

_CLOSE_WITHIN = 2.0
"""Seconds for a last reply to get out before the connection is cut."""
_HANDSHAKE_WITHIN = 60.0
"""Seconds for a TLS handshake, at most."""


class State(Enum):
    """Whose turn it is on a connection."""

    PROXY_HEADER = auto()
    """The proxy owes the header that names its client."""
    COMMANDS = auto()
    """The client owes a command, or more of its mail."""
    WORKING = auto()
    """We owe a reply that takes time: a mail goes to the disk, a password is checked."""
    HANDSHAKE = auto()
    """TLS begins: no reply can be sent until it is there."""
    CLOSING = auto()
    """The last reply was sent, or none can be."""
    CLOSED = auto()


_ENDED = frozenset((State.CLOSING, State.CLOSED))
_AWAITS_CLIENT = frozenset((State.PROXY_HEADER, State.COMMANDS))
_NEXT = {
    State.PROXY_HEADER: {State.COMMANDS} | _ENDED,
    State.COMMANDS: {State.WORKING, State.HANDSHAKE} | _ENDED,
    State.WORKING: {State.COMMANDS} | _ENDED,
    State.HANDSHAKE: {State.COMMANDS} | _ENDED,
    State.CLOSING: {State.CLOSED},
    State.CLOSED: set(),
}
"""Which states may follow which."""


class Transport(SMTP):
    """The protocol of one connection, without what is said on it."""

    def __init__(self, intake: Intake, loop: asyncio.AbstractEventLoop, *, max_line: int) -> None:
        # Without the library's own __init__: it walks through all members of two objects for tables that nobody reads
        # but its loop, which is replaced.
        self.loop, self.hostname = loop, intake.limits.hostname
        self.peer = ""
        """Address of the client, without its port."""
        self.secure = False
        """True under TLS."""
        self._intake = intake
        self._buffer = Buffer(max_line)
        self._out: list[bytes] = []
        self._state = State.COMMANDS
        self._transport: asyncio.Transport

    @property
    def in_handshake(self) -> bool:
        """True from the beginning of TLS until it is there."""
        return self._state is State.HANDSHAKE

    @property
    def _awaits_client(self) -> bool:
        return self._state in _AWAITS_CLIENT

    @property
    def _ended(self) -> bool:
        return self._state in _ENDED

    def _enter(self, state: State) -> None:
        """Go to `state`. Raises RuntimeError where the table does not allow it: a fault of this program."""
        if state not in _NEXT[self._state]:
            raise RuntimeError(f"a connection cannot go from {self._state.name} to {state.name}")
        self._state = state

    @property
    def in_transaction(self) -> bool:
        """True while a mail is under way: a link alone carries none."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._intake.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client."""
        if self._state is not State.CLOSED:
            self._enter(State.CLOSED)
        self._intake.closed(self)

    # --- Out ----------------------------------------------------------------------------------------------------------

    def _reply(self, reply: bytes | None) -> None:
        """Have `reply` sent with the next flush."""
        if reply is not None:
            if reply[0] in b"45":
                self._intake.counters.count_reply(reply)
            self._out += (reply, b"\r\n")

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._transport.write(data)
        if self._buffer.paused:
            self._buffer.resume_if_drained(self._transport)

    # --- TLS ----------------------------------------------------------------------------------------------------------

    def _begin_handshake(self) -> None:
        """Shake hands; `_tls_started` is called where that went well, else the connection ends."""
        self._enter(State.HANDSHAKE)
        self._intake.admission.note_waiting(self, self.loop.time())  # it is the client's turn: who stalls is idle
        self._handler_coroutine = self.loop.create_task(self._run_handshake())

    async def _run_handshake(self) -> None:
        certificate = self._intake.certificate
        plain = self._transport
        if certificate is None:  # offered only with one; it was taken away meanwhile
            plain.abort()
            return
        seconds = min(_HANDSHAKE_WITHIN, self._intake.limits.idle_timeout)
        upgrade = self.loop.create_task(
            self.loop.start_tls(plain, self, certificate.context(), server_side=True, ssl_handshake_timeout=seconds)
        )
        await asyncio.sleep(0)  # now the socket is TLS's; what came before is here
        if self._buffer:
            self.loop.call_soon(_pass_early_bytes, self._buffer.take(), plain)
        try:
            secured = await upgrade
        except Exception:  # noqa: BLE001 -- a handshake fails in as many ways as there are clients
            secured = None
        if secured is None or secured.is_closing() or self._state is not State.HANDSHAKE:
            self._intake.counters.handshakes_failed += 1
            plain.abort()
            self.connection_lost(None)  # the loop tells nobody of a connection that is lost in a handshake
            return
        self._transport, self.secure = secured, True
        self._enter(State.COMMANDS)
        self._tls_started()

    def _tls_started(self) -> None:
        """Go on under TLS."""

    # --- The end ------------------------------------------------------------------------------------------------------

    def close_if_overdue(self, now: float) -> None:
        """Hang up where the client's time is over at `now`: a link alone has all the time."""

    def close_with(self, reply: bytes) -> None:
        """Say a last word and end the connection, at once where the last word was said before or none can be."""
        if self._ended or self._state is State.HANDSHAKE:
            self.abort()
        else:
            self._reply(reply)
            self._close_after_reply(linger=False)

    def abort(self) -> None:
        """End the connection without a word."""
        if not self._ended:
            self._enter(State.CLOSING)
        self._intake.admission.remove(self)  # not when the loop says so: who comes next would send the same one away
        self._transport.abort()

    def _close_after_reply(self, *, linger: bool) -> None:
        """End the connection after the last reply.

        `linger`: more comes than was read. To close now would reset the connection, and the client might never see the
        reply; so only our half is closed, and what comes is thrown away for a moment.
        """
        if self._ended:
            return
        self._enter(State.CLOSING)
        self._buffer.clear()
        self._flush()
        if linger and self._transport.can_write_eof():
            self._transport.write_eof()
            self._intake.admission.note_waiting(self, self.loop.time())
            self.loop.call_later(_CLOSE_WITHIN, self._transport.abort)
        else:
            self._intake.admission.remove(self)
            self._close_transport()

    def _close_transport(self) -> None:
        """Close once all is sent; cut off a client that does not read it (close alone would wait for ever)."""
        self._transport.close()
        if self.secure or self._transport.get_write_buffer_size():
            self.loop.call_later(_CLOSE_WITHIN, self._transport.abort)


def _pass_early_bytes(data: bytes, transport: asyncio.Transport) -> None:
    """Give `data`, which came too early, to the protocol that reads `transport` now, before it reads on by itself."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        length = min(len(data), len(buffer))
        buffer[:length] = data[:length]
        protocol.buffer_updated(length)
        data = data[length:]
