"""The transport of one client connection: output, TLS handshake, close.

This is the only module that knows aiosmtpd's SMTP class. That class stays the base of the protocol, used through its
released API. Its loop is replaced: it lets exceptions out, refuses long lines, sets no limits, and spends most of its
time on a task, a stream and log lines for each client.

A connection is in one `State` at a time:

    PROXY_HEADER ──► COMMANDS ◄──► WORKING
                        ▲ │
                        │ ▼
                     HANDSHAKE

Each of these states may go to CLOSING, and every state may go to CLOSED, which is final. `_NEXT` is that table. Three
more facts are kept apart from the state: whether the client reads its replies, whether it has closed its sending half,
and whether TLS is on.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import cast

from aiosmtpd.smtp import SMTP

from relay.receive.buffer import Buffer
from relay.receive.intake import Intake

_CLOSE_WITHIN = 2.0
"""Seconds for a last reply to reach the client before the connection is aborted."""
_HANDSHAKE_WITHIN = 60.0
"""Upper limit of a TLS handshake, in seconds."""


class State(Enum):
    """The state of a connection: who has to act next."""

    PROXY_HEADER = auto()
    """The proxy has to send the header that names its client."""
    COMMANDS = auto()
    """The client has to send a command or more of its mail."""
    WORKING = auto()
    """We have to send a reply that takes time: a mail is being synced to disk, or a password is being checked."""
    HANDSHAKE = auto()
    """A TLS handshake is running; no reply can be sent until it is done."""
    CLOSING = auto()
    """The last reply was sent, or no reply can be sent."""
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
"""The allowed transitions: the states that may follow each state."""


class Transport(SMTP):
    """The protocol of one connection, without the SMTP session on it."""

    def __init__(self, intake: Intake, loop: asyncio.AbstractEventLoop, *, max_line: int) -> None:
        # Do not call the library's __init__: it inspects all members of two objects to build tables that only its own,
        # replaced loop reads.
        self.loop, self.hostname = loop, intake.limits.hostname
        self.peer = ""
        """The client's address, without the port."""
        self.secure = False
        """True if TLS is in use."""
        self._intake = intake
        self._buffer = Buffer(max_line)
        self._out: list[bytes] = []
        self._state = State.COMMANDS
        self._transport: asyncio.Transport

    @property
    def in_handshake(self) -> bool:
        """True while a TLS handshake is running."""
        return self._state is State.HANDSHAKE

    @property
    def _awaits_client(self) -> bool:
        return self._state in _AWAITS_CLIENT

    @property
    def _ended(self) -> bool:
        return self._state in _ENDED

    def _enter(self, state: State) -> None:
        """Go to `state`. Raises RuntimeError if `_NEXT` does not allow it, which is a bug in this program."""
        if state not in _NEXT[self._state]:
            raise RuntimeError(f"a connection cannot go from {self._state.name} to {state.name}")
        self._state = state

    @property
    def in_transaction(self) -> bool:
        """True while a mail transaction is open; always False without a session."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the new connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._intake.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        if self._state is not State.CLOSED:
            self._enter(State.CLOSED)
        self._intake.closed(self)

    # --- Output -------------------------------------------------------------------------------------------------------

    def _reply(self, reply: bytes | None) -> None:
        """Queue `reply` for the next flush."""
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
        """Start the TLS handshake. Calls `_tls_started` on success; otherwise the connection ends."""
        self._enter(State.HANDSHAKE)
        # A stalled handshake counts as idle time of the client.
        self._intake.admission.note_waiting(self, self.loop.time())
        self._handler_coroutine = self.loop.create_task(self._run_handshake())

    async def _run_handshake(self) -> None:
        certificate = self._intake.certificate
        plain = self._transport
        if certificate is None:  # STARTTLS was offered, but the certificate has been removed since
            plain.abort()
            return
        seconds = min(_HANDSHAKE_WITHIN, self._intake.limits.idle_timeout)
        upgrade = self.loop.create_task(
            self.loop.start_tls(plain, self, certificate.context(), server_side=True, ssl_handshake_timeout=seconds)
        )
        await asyncio.sleep(0)  # from here the socket belongs to TLS; earlier bytes are in the buffer
        if self._buffer:
            self.loop.call_soon(_pass_early_bytes, self._buffer.take(), plain)
        try:
            secured = await upgrade
        except Exception:  # noqa: BLE001 -- a client can make a handshake fail in many ways
            secured = None
        if secured is None or secured.is_closing() or self._state is not State.HANDSHAKE:
            self._intake.counters.handshakes_failed += 1
            plain.abort()
            self.connection_lost(None)  # the event loop does not report a connection lost during a handshake
            return
        self._transport, self.secure = secured, True
        self._enter(State.COMMANDS)
        self._tls_started()

    def _tls_started(self) -> None:
        """Continue after a successful handshake."""

    # --- Closing ------------------------------------------------------------------------------------------------------

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if the client exceeded a time limit at loop time `now`. No session, no limit."""

    def close_with(self, reply: bytes) -> None:
        """Send `reply` and close the connection. Abort it if a last reply was sent already or none can be sent."""
        if self._ended or self._state is State.HANDSHAKE:
            self.abort()
        else:
            self._reply(reply)
            self._close_after_reply(linger=False)

    def abort(self) -> None:
        """Close the connection at once, without a reply."""
        if not self._ended:
            self._enter(State.CLOSING)
        # Now, not when the loop reports it: else the next client would evict the same one again.
        self._intake.admission.remove(self)
        self._transport.abort()

    def _close_after_reply(self, *, linger: bool) -> None:
        """Close the connection after the last reply.

        `linger`: the client is still sending. Closing now would reset the connection, and the client might never see
        the reply. So only our half is closed, and further input is discarded for `_CLOSE_WITHIN` seconds.
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
        """Close after all output is sent. Abort if the client does not read it: a plain close would wait for ever."""
        self._transport.close()
        if self.secure or self._transport.get_write_buffer_size():
            self.loop.call_later(_CLOSE_WITHIN, self._transport.abort)


def _pass_early_bytes(data: bytes, transport: asyncio.Transport) -> None:
    """Pass `data`, which arrived too early, to the protocol that now reads `transport`."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        length = min(len(data), len(buffer))
        buffer[:length] = data[:length]
        protocol.buffer_updated(length)
        data = data[length:]
