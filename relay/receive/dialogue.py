"""What each command does and is answered: RFC 5321 with 8BITMIME, SIZE, SMTPUTF8, PIPELINING, AUTH and enhanced codes.

Recipients are only noted: they never decide who gets mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from relay.model import Envelope
from relay.receive import replies
from relay.receive.auth import MECHANISMS, credentials
from relay.receive.content import Content
from relay.receive.limits import Limits
from relay.receive.path import Path, parse_path
from relay.receive.replies import Refusal

_LINE = 510
_LINES = {b"MAIL": _LINE + 26 + 10 + 500, b"RCPT": _LINE + 10, b"AUTH": 12288}
"""RFC 5321 4.5.3.1.4, RFC 1870 3, RFC 6531 3.4, RFC 4954 3 and 4; without the line's end."""
LONGEST_LINE = max(_LINES.values())

_LEFT_OUT = 1000
"""Recipients beyond the limit that a client may offer; Postfix has the same overshoot limit."""

_WITHOUT_AUTH = frozenset((b"EHLO", b"HELO", b"AUTH", b"NOOP", b"RSET", b"QUIT", b"HELP"))
_IDLE = frozenset((b"EHLO", b"HELO", b"NOOP", b"RSET", b"VRFY", b"HELP"))
_NOT_OURS = frozenset((b"EXPN", b"STARTTLS", b"BDAT", b"ETRN", b"TURN", b"SEND", b"SOML", b"SAML"))
_WEB = frozenset((b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"))


class Client(Protocol):
    """The far end of a dialogue: what `Connection` does for it."""

    peer: str
    """Address of the client, without its port."""

    async def push(self, status: bytes, /) -> None:
        """Send a reply."""

    async def ask(self, challenge: bytes) -> bytes:
        """Send a challenge of AUTH and return the answer. Raises Refusal, EOFError."""

    async def read_content(self) -> Content:
        """Read what follows DATA to its end. Raises EOFError."""

    async def store(self, envelope: Envelope, content: Content) -> bytes:
        """Put the mail down and return the reply to it."""


class Dialogue:
    """The state of one client's dialogue; `answer` takes a command and returns its one reply."""

    def __init__(self, client: Client, limits: Limits) -> None:
        self._client = client
        self._limits = limits
        self._greeted = self._extended = self._authenticated = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._errors = self._idle_commands = self._left_out = self._auth_failures = 0
        self.ended = False
        """True after the last reply."""

    @property
    def in_transaction(self) -> bool:
        """True between MAIL and the answer to DATA."""
        return self._sender is not None

    async def answer(self, line: bytes) -> bytes:
        """Do what `line` asks and return the reply. Raises EOFError where the client is gone in the middle."""
        try:
            return await self._obey(line)
        except Refusal as refusal:
            return self.refused(refusal)

    def refused(self, refusal: Refusal) -> bytes:
        """Return the reply to a command that is refused; too many of them are the last."""
        if refusal.counts:
            self._errors += 1
            if self._errors >= self._limits.errors:
                refusal = Refusal(replies.TOO_MANY_ERRORS, last=True)
        self.ended = self.ended or refusal.last
        return refusal.reply

    async def _obey(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        command = self._COMMANDS.get(verb)
        if command is None:
            raise _unknown(verb, line)
        if len(line) > _LINES.get(verb, _LINE):
            raise Refusal(replies.LINE_TOO_LONG)
        if self._limits.password is not None and not self._authenticated and verb not in _WITHOUT_AUTH:
            raise Refusal(replies.AUTH_REQUIRED)
        if verb in _IDLE:
            self._idle_commands += 1
            if self._idle_commands > self._limits.idle_commands:
                raise Refusal(replies.TOO_IDLE, last=True)
        return await command(self, argument.strip(b" \t").decode("utf-8", "surrogateescape"))

    # --- Session ------------------------------------------------------------------------------------------------------

    async def _helo(self, argument: str) -> bytes:
        self._greet(argument, extended=False)
        return f"250 {self._limits.hostname}".encode()

    async def _ehlo(self, argument: str) -> bytes:
        self._greet(argument, extended=True)
        offers = ("PIPELINING", f"SIZE {self._limits.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        lines = (self._limits.hostname, *offers, f"AUTH {' '.join(MECHANISMS)}")
        return "".join((*(f"250-{line}\r\n" for line in lines), "250 HELP")).encode()

    def _greet(self, argument: str, *, extended: bool) -> None:
        if not argument:
            raise Refusal(replies.ARGUMENT_MISSING)
        self._reset()
        self._greeted, self._extended = True, extended

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _noop(self, _: str) -> bytes:
        return replies.OK

    async def _help(self, _: str) -> bytes:
        return replies.HELP

    async def _vrfy(self, argument: str) -> bytes:
        if not argument:
            raise Refusal(replies.ARGUMENT_MISSING)
        return replies.NOT_VERIFIED

    async def _rset(self, argument: str) -> bytes:
        _no(argument)
        self._reset()
        return replies.OK

    async def _quit(self, argument: str) -> bytes:
        _no(argument)
        self.ended = True
        return replies.BYE

    async def _auth(self, argument: str) -> bytes:
        if not self._extended:
            raise Refusal(replies.NO_EHLO)
        if self._authenticated:
            raise Refusal(replies.AUTHENTICATED_ALREADY)
        if self.in_transaction:
            raise Refusal(replies.NESTED)
        claimed = await credentials(argument, self._client.ask)
        self._authenticated = claimed.match(self._limits.username, self._limits.password)
        if not self._authenticated:
            self._auth_failures += 1
            too_many = self._auth_failures >= self._limits.auth_failures
            raise Refusal(replies.TOO_MANY_LOGINS if too_many else replies.BAD_CREDENTIALS, last=too_many)
        return replies.AUTHENTICATED

    # --- Mail ---------------------------------------------------------------------------------------------------------

    async def _mail(self, argument: str) -> bytes:
        if not self._greeted:
            raise Refusal(replies.NO_HELO)
        if self.in_transaction:
            raise Refusal(replies.NESTED)
        path = parse_path(argument, "FROM")
        if path is None:
            raise Refusal(replies.MAIL_SYNTAX)
        self._check_parameters(path.parameters)
        self._sender = path.address
        return replies.SENDER_OK

    def _check_parameters(self, parameters: dict[str, str]) -> None:
        offered = {"SIZE", "BODY", "SMTPUTF8", "AUTH"} if self._extended else set()
        if not parameters.keys() <= offered:
            raise Refusal(replies.UNKNOWN_PARAMETER)
        size, body = parameters.get("SIZE", "0"), parameters.get("BODY", "7BIT")
        if not (size.isascii() and size.isdecimal() and len(size) <= 20):
            raise Refusal(replies.BAD_PARAMETER)
        if body.upper() not in {"7BIT", "8BITMIME"} or parameters.get("SMTPUTF8") or parameters.get("AUTH") == "":
            raise Refusal(replies.BAD_PARAMETER)
        if int(size) > self._limits.max_size:
            raise Refusal(replies.TOO_LARGE)

    async def _rcpt(self, argument: str) -> bytes:
        if not self.in_transaction:
            raise Refusal(replies.NO_SENDER)
        path = parse_path(argument, "TO") or Path("", {})
        if not path.address:
            raise Refusal(replies.RCPT_SYNTAX)
        if path.parameters:
            raise Refusal(replies.UNKNOWN_PARAMETER)
        if len(self._recipients) >= self._limits.recipients:
            self._left_out += 1
            if self._left_out > _LEFT_OUT:
                raise Refusal(replies.TOO_MANY_ERRORS, last=True)
            raise Refusal(replies.TOO_MANY_RECIPIENTS)
        self._recipients.append(path.address)
        return replies.RECIPIENT_OK

    async def _data(self, argument: str) -> bytes:
        _no(argument)
        if self._sender is None:
            raise Refusal(replies.NO_SENDER)
        if not self._recipients:
            raise Refusal(replies.NO_RECIPIENT)
        envelope = Envelope(sender=self._sender, recipients=tuple(self._recipients), peer=self._client.peer)
        await self._client.push(replies.GO_AHEAD)
        content = await self._client.read_content()
        try:
            if content.too_large:
                raise Refusal(replies.TOO_MUCH_DATA)
            reply = await self._client.store(envelope, content)
        finally:
            self._reset()
        self._errors = self._idle_commands = self._left_out = 0
        return reply

    _COMMANDS: ClassVar[dict[bytes, Callable[[Dialogue, str], Awaitable[bytes]]]] = {
        b"HELO": _helo,
        b"EHLO": _ehlo,
        b"NOOP": _noop,
        b"HELP": _help,
        b"VRFY": _vrfy,
        b"RSET": _rset,
        b"QUIT": _quit,
        b"AUTH": _auth,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
    }


def _no(argument: str) -> None:
    if argument:
        raise Refusal(replies.NO_ARGUMENT)


def _unknown(verb: bytes, line: bytes) -> Refusal:
    if verb in _WEB or b" HTTP/1." in line:
        return Refusal(replies.NO_WEB_SERVER, last=True)  # what follows may be a mail in a web form's disguise
    return Refusal(replies.NOT_IMPLEMENTED if verb in _NOT_OURS else replies.UNKNOWN)
