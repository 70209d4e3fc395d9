"""The SMTP session: what each command does and its reply. No socket and no clock: lines in, replies out.

Implements RFC 5321 with 8BITMIME, SIZE, SMTPUTF8, PIPELINING, STARTTLS, AUTH and enhanced status codes. Recipients are
only recorded: they never decide who gets mail. DSN (RFC 3461) is offered for clients that send nothing without it; its
parameters are ignored like unknown ones, and nobody is ever notified.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ClassVar, Protocol

from relay import SMTP_KEYWORD
from relay.model import Envelope
from relay.receive import replies
from relay.receive.auth import MECHANISMS, AuthExchange, Credentials, auth_exchange
from relay.receive.content import Content
from relay.receive.mail_and_rcpt import parse_path
from relay.receive.memory import MemoryBudget
from relay.receive.options import Limits
from relay.receive.replies import Refusal
from relay.receive.transaction import Transaction

_MAX_COMMAND_LINE = 2048
MAX_LINE = 12288
"""Bytes without the line end. RFC 4954, section 4, asks for this with AUTH. Other lines may have `_MAX_COMMAND_LINE`
bytes, four times what RFC 5321, section 4.5.3.1.4, asks for, as in Postfix."""

_MAX_EXCESS_RECIPIENTS = 1000
"""Recipients beyond the limit that a client may send before the connection is closed; the same number as in Postfix."""

_WITHOUT_AUTH = frozenset((b"EHLO", b"HELO", b"AUTH", b"STARTTLS", b"NOOP", b"RSET", b"QUIT", b"HELP"))
_IDLE_COMMANDS = frozenset((b"EHLO", b"HELO", b"NOOP", b"RSET", b"VRFY", b"HELP"))
_NOT_SUPPORTED = frozenset((b"EXPN", b"BDAT", b"ETRN", b"TURN", b"ATRN", b"SEND", b"SOML", b"SAML"))
_HTTP_METHODS = frozenset(
    (b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE", b"PRI")
)


class ClientConnection(Protocol):
    """What a session needs from its connection. Slow operations are started here and answered later."""

    peer: str
    """The client's address, without the port."""
    secure: bool
    """True if TLS is in use."""

    @property
    def offers_tls(self) -> bool:
        """True if there is a certificate and TLS is not in use yet."""

    @property
    def offers_auth(self) -> bool:
        """True if a password may be sent over this connection."""

    @property
    def needs_auth(self) -> bool:
        """True if a client has to authenticate before it may send."""

    @property
    def memory(self) -> MemoryBudget:
        """The memory budget that all mails in transfer share."""

    def verify(self, credentials: Credentials) -> bool | None:
        """Return whether `credentials` are valid; None if the result comes later. Raises Refusal.

        A later result is passed to `credentials_checked`.
        """

    def start_tls(self) -> None:
        """Reply that TLS may begin, run the handshake, and begin a new session."""

    def store(self, envelope: Envelope, content: Content) -> None:
        """Store the mail, then call `mail_stored` with the reply to it."""


class Session:
    """The state of one SMTP session; `handle_line` takes a line and returns its one reply."""

    def __init__(self, connection: ClientConnection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._greeted = self._extended = self._authenticated = False
        self._transaction: Transaction | None = None
        self._auth_exchange: AuthExchange | None = None
        self._errors = self._idle_commands = self._excess_recipients = self._auth_failures = 0
        self.content: Content | None = None
        """The content being received after DATA; while it is set, input belongs to it."""
        self.ended = False
        """True after the last reply."""

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the reply to DATA."""
        return self._transaction is not None

    def handle_line(self, line: bytes) -> bytes | None:
        """Execute a command line and return the reply, None if the reply comes later."""
        try:
            return self._execute(line) if self._auth_exchange is None else self._continue_auth(line)
        except Refusal as refusal:
            return self.refusal_reply(refusal)

    def handle_long_line(self) -> bytes:
        """Return the reply to a line that exceeded the limit; its content was not kept."""
        in_auth, self._auth_exchange = self._auth_exchange is not None, None
        return self.refusal_reply(Refusal(replies.AUTH_RESPONSE_TOO_LONG if in_auth else replies.LINE_TOO_LONG))

    def refusal_reply(self, refusal: Refusal) -> bytes:
        """Return the reply to a refused command. After too many refusals the connection ends."""
        if refusal.counts:
            self._errors += 1
            if self._errors >= self._limits.errors:
                refusal = Refusal(replies.TOO_MANY_ERRORS, closes=True)
        self.ended = self.ended or refusal.closes
        return refusal.reply

    def _execute(self, line: bytes) -> bytes | None:
        # RFC 5321, section 4.1.1: trailing white space is tolerated.
        verb, _, argument = line.rstrip(b" \t").partition(b" ")
        verb = verb.upper()
        command = self._COMMANDS.get(verb)
        if command is None:
            raise _unknown_command(verb, line)
        if len(line) > _MAX_COMMAND_LINE and verb != b"AUTH":
            raise Refusal(replies.LINE_TOO_LONG)
        if verb not in _WITHOUT_AUTH and not self._authenticated and self._connection.needs_auth:
            raise Refusal(replies.AUTH_REQUIRED)
        if verb in _IDLE_COMMANDS:
            self._idle_commands += 1
            if self._idle_commands > self._limits.idle_commands:
                raise Refusal(replies.TOO_IDLE, closes=True)
        return command(self, argument.lstrip(b" \t").decode("utf-8", "surrogateescape"))

    # --- Session ------------------------------------------------------------------------------------------------------

    def _helo(self, argument: str) -> bytes:
        self._hello(argument, extended=False)
        return f"250 {self._limits.hostname}".encode()

    def _ehlo(self, argument: str) -> bytes:
        self._hello(argument, extended=True)
        limits, connection = self._limits, self._connection
        return _ehlo_reply(limits.hostname, limits.max_size, tls=connection.offers_tls, auth=connection.offers_auth)

    def _hello(self, argument: str, *, extended: bool) -> None:
        if not argument:
            raise Refusal(replies.ARGUMENT_MISSING)
        self._transaction = None
        self._greeted, self._extended = True, extended

    def _noop(self, _: str) -> bytes:
        return replies.OK

    def _help(self, _: str) -> bytes:
        return replies.HELP

    def _vrfy(self, argument: str) -> bytes:
        if not argument:
            raise Refusal(replies.ARGUMENT_MISSING)
        return replies.NOT_VERIFIED

    def _rset(self, argument: str) -> bytes:
        _require_no_argument(argument)
        self._transaction = None
        return replies.OK

    def _quit(self, argument: str) -> bytes:
        _require_no_argument(argument)
        self.ended = True
        return replies.BYE

    def _starttls(self, argument: str) -> None:
        if self._connection.secure:
            raise Refusal(replies.TLS_ALREADY)
        if not self._connection.offers_tls:
            raise Refusal(replies.NOT_IMPLEMENTED)
        _require_no_argument(argument)
        if not self._extended:
            raise Refusal(replies.NO_EHLO)
        self._connection.start_tls()

    # --- AUTH ---------------------------------------------------------------------------------------------------------

    def _auth(self, argument: str) -> bytes | None:
        if not self._extended:
            raise Refusal(replies.NO_EHLO)
        if self._authenticated:
            raise Refusal(replies.AUTHENTICATED_ALREADY)
        if self.in_transaction:
            raise Refusal(replies.MAIL_IN_PROGRESS)
        if not self._connection.offers_auth:
            raise Refusal(replies.NEEDS_TLS)
        self._auth_exchange = auth_exchange(argument)
        return self._continue_auth(None)

    def _continue_auth(self, answer: bytes | None) -> bytes | None:
        """Continue AUTH with the client's response; None begins it."""
        running, self._auth_exchange = self._auth_exchange, None
        assert running is not None  # noqa: S101 -- the caller checks it
        try:
            challenge = running.send(answer if answer is None else answer.strip())  # type: ignore[arg-type]  # to begin
        except StopIteration as done:
            valid = self._connection.verify(done.value)
            return None if valid is None else self.credentials_checked(valid=valid)
        self._auth_exchange = running
        return b"334 " + challenge

    def credentials_checked(self, *, valid: bool) -> bytes:
        """Return the reply to checked credentials."""
        if valid:
            self._authenticated = True
            return replies.AUTHENTICATED
        self._auth_failures += 1
        too_many = self._auth_failures >= self._limits.auth_failures
        return self.refusal_reply(
            Refusal(replies.TOO_MANY_LOGINS if too_many else replies.BAD_CREDENTIALS, closes=too_many)
        )

    # --- Mail ---------------------------------------------------------------------------------------------------------

    def _mail(self, argument: str) -> bytes:
        if not self._greeted:
            raise Refusal(replies.NO_HELO)
        path = parse_path(argument, "FROM")
        if path is None:
            raise Refusal(replies.MAIL_SYNTAX)
        if self._transaction is not None:
            raise Refusal(replies.MAIL_IN_PROGRESS)
        if path.size > self._limits.max_size:
            raise Refusal(replies.TOO_LARGE)
        self._transaction = Transaction(path.address)
        return replies.SENDER_OK

    def _rcpt(self, argument: str) -> bytes:
        if self._transaction is None:
            raise Refusal(replies.NO_SENDER)
        path = parse_path(argument, "TO")
        if path is None:
            raise Refusal(replies.RCPT_SYNTAX)
        if not self._transaction.add(path.address, self._limits.recipients):
            self._excess_recipients += 1
            if self._excess_recipients > _MAX_EXCESS_RECIPIENTS:
                raise Refusal(replies.TOO_MANY_ERRORS, closes=True)
            raise Refusal(replies.TOO_MANY_RECIPIENTS)
        return replies.RECIPIENT_OK

    def _data(self, argument: str) -> bytes:
        _require_no_argument(argument)
        if self._transaction is None:
            raise Refusal(replies.NO_SENDER)
        if not self._transaction.recipients:
            raise Refusal(replies.NO_RECIPIENT)
        self.content = Content(self._limits.max_size, self._connection.memory)
        return replies.GO_AHEAD

    def mail_ended(self) -> bytes | None:
        """Return the reply to the end of a mail, None if the reply comes later."""
        content, self.content = self.content, None
        transaction = self._transaction
        assert content is not None and transaction is not None  # noqa: S101, PT018 -- true while `content` is set
        if content.too_large:
            self._transaction = None
            return self.refusal_reply(Refusal(replies.TOO_MUCH_DATA))
        self._connection.store(transaction.envelope(self._connection.peer), content)
        return None

    def abandon_mail(self) -> None:
        """Discard a mail that will not be completed."""
        content, self.content = self.content, None
        if content is not None:
            content.discard()

    def mail_stored(self, reply: bytes) -> bytes:
        """End the transaction, whether its mail was stored or not, and return `reply`."""
        self._transaction = None
        self._errors = self._idle_commands = self._excess_recipients = 0
        return reply

    _COMMANDS: ClassVar[dict[bytes, Callable[[Session, str], bytes | None]]] = {
        b"HELO": _helo,
        b"EHLO": _ehlo,
        b"NOOP": _noop,
        b"HELP": _help,
        b"VRFY": _vrfy,
        b"RSET": _rset,
        b"QUIT": _quit,
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
    }


@functools.lru_cache(maxsize=16)
def _ehlo_reply(hostname: str, max_size: int, *, tls: bool, auth: bool) -> bytes:
    """Return the reply to EHLO."""
    lines = [
        hostname,
        "PIPELINING",
        f"SIZE {max_size}",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
        SMTP_KEYWORD,
    ]
    if tls:
        lines.append("STARTTLS")
    if auth:
        lines.append(f"AUTH {' '.join(MECHANISMS)}")
    return "".join((*(f"250-{line}\r\n" for line in lines), "250 HELP")).encode()


def _require_no_argument(argument: str) -> None:
    if argument:
        raise Refusal(replies.NO_ARGUMENT)


def _unknown_command(verb: bytes, line: bytes) -> Refusal:
    if verb in _HTTP_METHODS or b" HTTP/1." in line:
        return Refusal(replies.NO_WEB_SERVER, closes=True)  # what follows may be a mail hidden in a web form
    if line.startswith(b"\x16\x03"):
        return Refusal(replies.NOT_TLS, closes=True)
    return Refusal(replies.NOT_IMPLEMENTED if verb in _NOT_SUPPORTED else replies.UNKNOWN)
