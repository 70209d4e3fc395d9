"""One client connection: access control, input to the SMTP session, time limits.

Input is processed and answered at once in the callback that delivers it. Only a disk sync, a password check and a TLS
handshake are awaited; meanwhile input goes into a bounded buffer.

Guarantee: each command has exactly one reply. No exception text ever leaves the process. No client stays longer than
the limits allow, whatever it sends or fails to read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback

from relay.model import Envelope
from relay.receive import proxy_protocol, replies
from relay.receive.auth import Credentials
from relay.receive.buffer import EndlessLine, LineTooLong
from relay.receive.content import Content
from relay.receive.intake import Intake
from relay.receive.memory import MemoryBudget
from relay.receive.networks import is_loopback, plain_address
from relay.receive.session import MAX_LINE, Session
from relay.receive.transport import State, Transport

_CLIENT_HELLO = b"\x16\x03"

_log = logging.getLogger(__name__)


class Connection(Transport):
    """The transport of one client with an SMTP session on it."""

    def __init__(self, intake: Intake, loop: asyncio.AbstractEventLoop, *, tls_first: bool = False) -> None:
        """`tls_first`: TLS begins with the first byte (RFC 8314)."""
        super().__init__(intake, loop, max_line=MAX_LINE)
        self._tls_first = tls_first
        self._session = Session(self, intake.limits)
        self._write_paused = self._half_closed = False
        """The client does not read our replies; the client will send nothing more."""
        self._waiting_since = self._last_mail = loop.time()
        """Loop time when the wait for the client's current command or content began; that of the last stored mail."""
        self._deadline = math.inf

    # --- Accepting the client -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client, or wait for the proxy header that names it."""
        super().connection_made(transport)
        address = transport.get_extra_info("peername")
        self.peer = plain_address(address[0]) if isinstance(address, tuple) else ""
        proxies = self._intake.proxies
        if proxies and proxies.contains(self.peer):
            self._state = State.PROXY_HEADER
            if self._admit():
                self._process_input(progress=True)
        else:
            self._accept_client()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client and any mail that it did not finish."""
        super().connection_lost(error)
        self._session.abandon_mail()

    def _accept_client(self) -> None:
        """Check the client's network and the connection limits, then greet it or refuse it."""
        if not self._intake.clients.contains(self.peer):
            self._intake.counters.unknown_clients += 1
            self.close_with(replies.ACCESS_DENIED)
        elif self._admit():
            if self._tls_first:
                self._begin_handshake()
            else:
                self._send_greeting()

    def _admit(self) -> bool:
        """Register the connection, closing another one if a limit is reached. Return False if this one was refused."""
        admission, now = self._intake.admission, self.loop.time()
        admission.remove(self)
        evicted = admission.next_to_evict(now, self.peer) if admission.is_full_for(self.peer) else None
        if admission.full:
            self._intake.counters.turned_away += 1
            evicted = evicted or admission.next_to_evict(now)
            if evicted is None:
                self.close_with(replies.TOO_MANY_CONNECTIONS)
                return False
        if evicted is not None:
            evicted.close_with(replies.TOO_MANY_CONNECTIONS)
        admission.add(self)
        return True

    def _send_greeting(self) -> None:
        self._out.append(b"220 %b ESMTP\r\n" % self.hostname.encode())
        self._process_input(progress=True)

    # --- Socket callbacks ---------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Buffer the received bytes and process them, unless the client has to wait for us."""
        if self._ended:
            return
        self._buffer.feed(data, self._transport)
        if self._awaits_client and not self._write_paused:
            self._process_input()

    def eof_received(self) -> bool:
        """Process what is buffered even so: a client may close its sending half once all is sent."""
        self._half_closed = True
        # TLS has no half-close.
        return not (self.secure or self._ended) and (self._write_paused or not self._awaits_client)

    def pause_writing(self) -> None:
        """The client does not read: stop replying until it does."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Continue once the client reads again."""
        self._write_paused = False
        if self._awaits_client:
            self._process_input()

    # --- Processing input ---------------------------------------------------------------------------------------------

    def _process_input(self, *, progress: bool = False) -> None:
        """Process all buffered input, then wait for the client, unless a task of ours is still running.

        `progress`: a new wait for the client begins. Bytes that trickle in do not extend the running one.
        """
        session = self._session
        try:
            while self._awaits_client and not (self._write_paused or session.ended) and self._process_next(session):
                progress = True
        except EndlessLine:
            self._reply(replies.ENDLESS_LINE)
            self._close_after_reply(linger=True)
        if session.ended:
            self._close_after_reply(linger=bool(self._buffer))
        if self._ended:
            return
        self._flush()
        if self._state is State.WORKING:
            self._intake.admission.note_working(self)
        elif self._state is State.HANDSHAKE:
            pass
        elif self._half_closed and not self._write_paused:
            self._close_transport()
        elif self._intake.stopping and not self.in_transaction:
            self.close_with(replies.STOPPING)
        else:
            self._update_deadline(progress=progress)

    def _process_next(self, session: Session) -> bool:
        """Process one header, command or piece of content. Return False if it is not complete yet."""
        if not self._buffer:
            return False
        if self._state is State.PROXY_HEADER:
            return self._read_proxy_header()
        if session.content is not None:
            return self._read_content(session.content)
        try:
            line = self._buffer.line()
            if line is None:
                if not self._buffer.starts_with(_CLIENT_HELLO):
                    return False
                line = _CLIENT_HELLO  # the end of the line may never come
            self._reply(session.handle_line(line))
        except LineTooLong:
            self._reply(session.handle_long_line())
        except EndlessLine:
            raise
        except Exception as error:  # noqa: BLE001 -- outermost handler: every error must give the client a reply
            self._reply(self._log_unexpected_error(error))
        return True

    def _read_content(self, content: Content) -> bool:
        rest = content.feed(self._buffer.take())
        if rest is None:
            return False
        self._buffer.unread(rest)
        try:
            self._reply(self._session.mail_ended())
        except Exception as error:  # noqa: BLE001 -- outermost handler, as above
            self._reply(self._session.mail_stored(self._log_unexpected_error(error)))
        return True

    def _read_proxy_header(self) -> bool:
        data = self._buffer.take()
        try:
            length = proxy_protocol.header_length(data)
            client = None if length is None else proxy_protocol.client_address(data[:length])
        except proxy_protocol.BadHeader:
            self.close_with(replies.ACCESS_DENIED)
            return False
        self._buffer.unread(data[length or 0 :])
        if length is not None:
            self._enter(State.COMMANDS)
            self.peer = client or self.peer
            self._accept_client()
        return False

    def _log_unexpected_error(self, error: Exception) -> bytes:
        """Log the type and place of an unexpected error, never its text, which may hold data from the client."""
        self._intake.counters.unexpected_errors += 1
        places = "".join(traceback.format_tb(error.__traceback__)[-3:])
        _log.error("a command failed with %s at\n%s", type(error).__name__, places)
        return replies.LOCAL_ERROR

    # --- Interface for the session ------------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the reply to DATA; STARTTLS ends a transaction."""
        return self._session.in_transaction and not (self._ended or self.in_handshake)

    @property
    def offers_tls(self) -> bool:
        """True if there is a certificate and TLS is not in use yet."""
        return self._intake.certificate is not None and not self.secure

    @property
    def offers_auth(self) -> bool:
        """True if a password may be sent over this connection."""
        return self.secure or self._intake.auth_in_clear or is_loopback(self.peer)

    @property
    def needs_auth(self) -> bool:
        """True if a client has to authenticate before it may send."""
        return self._intake.authenticator.required

    @property
    def memory(self) -> MemoryBudget:
        """The memory budget that all mails in transfer share."""
        return self._intake.memory

    def verify(self, credentials: Credentials) -> bool | None:
        """Return whether `credentials` are valid, None if the check is still running. Raises Refusal."""
        valid = self._intake.authenticator.check(credentials, self._credentials_checked)
        if valid is None:
            self._enter(State.WORKING)
        return valid

    def _credentials_checked(self, valid: bool) -> None:  # noqa: FBT001 -- the result itself
        self._send_delayed_reply(self._session.credentials_checked(valid=valid))

    def store(self, envelope: Envelope, content: Content) -> None:
        """Store the mail in the spool. Raises SpoolError."""
        self._intake.admission.note_working(self)  # before the spool asks which other clients are still sending
        self._intake.store_mail(envelope, content, self._mail_stored)
        self._enter(State.WORKING)

    def _mail_stored(self, reply: bytes) -> None:
        self._last_mail = self.loop.time()
        self._send_delayed_reply(self._session.mail_stored(reply))

    def start_tls(self) -> None:
        """Reply that TLS may begin, and discard everything the client sent before (RFC 3207, section 4.2)."""
        self._transport.pause_reading()  # further bytes belong to the handshake
        self._reply(replies.READY_FOR_TLS)
        self._flush()
        self._buffer.clear()
        self._begin_handshake()

    def _tls_started(self) -> None:
        """Begin a new session: nothing that was sent in clear text counts (RFC 3207, section 4.2)."""
        self._session = Session(self, self._intake.limits)
        if self._tls_first:
            self._send_greeting()
        else:
            self._process_input(progress=True)

    def _send_delayed_reply(self, reply: bytes) -> None:
        """Send the reply to a task that has finished, and process what arrived meanwhile."""
        if self._state is not State.WORKING:
            return
        self._enter(State.COMMANDS)
        self._reply(reply)
        self._process_input(progress=True)

    # --- Time limits --------------------------------------------------------------------------------------------------

    def _update_deadline(self, *, progress: bool) -> None:
        """Set the deadline for the client's next command or content. Without progress the running deadline stays."""
        now, limits, content = self.loop.time(), self._intake.limits, self._session.content
        if progress:
            self._waiting_since = now
        elif content is None:
            return
        size = 0 if content is None else content.size
        self._deadline = self._waiting_since + limits.idle_timeout + size / limits.min_rate
        if size >= limits.min_rate * (now - self._waiting_since):
            self._intake.admission.note_waiting(self, now)

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if the client exceeded a time limit at loop time `now`. Our own work does not count."""
        if not self._awaits_client:
            return
        if now >= self._deadline or now >= self._last_mail + self._intake.limits.session_timeout:
            self._intake.counters.timeouts += 1
            self.close_with(replies.TIMEOUT if now >= self._deadline else replies.STALE)
