"""One SMTP session: one try to deliver one message, command by command.

    connect · greeting · EHLO · (STARTTLS · EHLO) · AUTH · MAIL · RCPT … · DATA · content and final dot

A failure of the upstream is raised as `UpstreamFailed`. From MAIL on, a 4xx or 5xx reply is about the message (MAIL,
DATA) or about one recipient (RCPT), and is returned as a `RecipientReply`. Two kinds of reply are failures all the
same: 421 (the server closes the connection) and replies about credentials. Only a 2xx reply after the final dot means
that the message was accepted. If that reply is missing, the server may have accepted the message: the code is 0.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import aiosmtplib

from relay import config
from relay.deliver.client import NO_REPLY, Client
from relay.deliver.login import Login
from relay.deliver.oauth2.source import TokenSource
from relay.deliver.replies import (
    AUTH_CODES,
    END_OF_DATA,
    Reply,
    Scrub,
    UpstreamFailed,
    missing_reply,
    os_error_text,
    recipient_reply,
    unwilling,
)
from relay.deliver.transcript import Show, Transcript
from relay.failpoint import reach
from relay.model import Failure, RecipientReply, Verdict

NO_EHLO = frozenset({500, 501, 502, 504})
"""Replies of a server that does not know EHLO or this form of it (RFC 5321 section 4.2.4)."""
CONNECT = "connect"

T = TypeVar("T")


class Session:
    """One session, and its progress."""

    def __init__(
        self,
        settings: config.Upstream,
        *,
        password: str,
        helo: str,
        scrub: Scrub,
        show: Show | None = None,
        tokens: TokenSource | None = None,
    ) -> None:
        self._settings = settings
        self._helo = helo
        self._scrub = scrub
        self._timeout = settings.timeout.total_seconds()
        self._client = Client(
            settings.host,
            settings.port or 0,
            timeout=self._timeout,
            transcript=Transcript(show, scrub) if show else None,
        )
        self._login = Login(settings, self._client, self._login_command, scrub, password=password, tokens=tokens)
        self.step = CONNECT
        """The command or step whose reply the session waits for."""
        self.begun = False
        """MAIL was sent: a failure from here on may be about this message."""
        self.pending_recipient = ""
        """The recipient whose RCPT reply is missing. A failure here may be about this recipient alone."""
        self.accepted: list[str] = []
        """The recipients that the server accepted at RCPT."""
        self.content_started = False
        """The content is on its way: from here on the server may have the message."""
        self.replies: dict[str, RecipientReply] = {}
        """The reply for each recipient. Complete as soon as the content is on its way."""

    async def open(self) -> None:
        """Connect, secure the connection as configured, and authenticate. Raises UpstreamFailed."""
        if self._settings.username and self._settings.security == "none" and not self._settings.auth_in_clear:
            raise UpstreamFailed(Failure.AUTH, "the password would be sent unencrypted, and auth_in_clear is not set")
        await self._connect()
        await self._ehlo()
        if self._settings.security == "starttls":
            await self._starttls()
            await self._ehlo()
        if self._settings.username:
            await self._login.run()

    async def send(self, raw: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]) -> None:
        """Send the envelope and then the content; fills `replies`.

        Calls `before_data` before DATA. Raises UpstreamFailed, and whatever `before_data` raises.
        """
        if too_large := self._too_large(raw):
            self.replies = dict.fromkeys(recipients, too_large)
            return
        utf8 = not all(_local_part(address).isascii() for address in (sender, *recipients))
        utf8 = utf8 and self._client.supports_extension("smtputf8")
        self.begun = True
        reply = await self._mail(raw, sender, utf8=utf8)
        if not reply.good:
            self.replies = dict.fromkeys(recipients, self._refusal(reply))
            return
        for recipient in recipients:
            await self._rcpt(recipient, utf8=utf8)
        if not self.accepted:
            return
        before_data()
        self._set_reply_for_accepted(await self._data(raw))

    async def close(self, *, send_quit: bool) -> None:
        """End the connection, after QUIT if `send_quit` is set."""
        await self._client.disconnect(send_quit=send_quit)

    # --- Up to an authenticated connection ----------------------------------------------------------------------------

    async def _connect(self) -> None:
        tls = self._settings.security == "tls"
        self._client.tls_context = self._tls_context()
        await self._await_step(CONNECT, self._client.open(tls=tls), handshake=tls)
        reply = await self._command("the greeting", self._client.read_reply(self._timeout))
        if reply.code != 220:
            raise self._unexpected(reply)

    def _tls_context(self) -> ssl.SSLContext | None:
        """Return a context that checks certificate and host name, against `ca_file` or the system's authorities."""
        if self._settings.security == "none":
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            raise UpstreamFailed(Failure.CERTIFICATE, f"ca_file cannot be used: {os_error_text(error)}") from error

    async def _ehlo(self) -> None:
        """Send EHLO, or HELO if the server does not know EHLO."""
        reply = await self._command("EHLO", self._client.ehlo(hostname=self._helo))
        if reply.code in NO_EHLO:
            reply = await self._command("HELO", self._client.helo(hostname=self._helo))
        if reply.code != 250:
            raise self._unexpected(reply)

    async def _starttls(self) -> None:
        """Start TLS or fail: nothing but EHLO is sent unencrypted."""
        if not self._client.supports_extension("starttls"):
            raise UpstreamFailed(Failure.NO_TLS, "it does not offer STARTTLS, which is required; nothing was sent")
        reply = await self._command("STARTTLS", self._client.starttls(), handshake=True)
        if not reply.good:
            raise UpstreamFailed(Failure.NO_TLS, f"it refused STARTTLS, which is required; nothing was sent: {reply}")

    # --- The message --------------------------------------------------------------------------------------------------

    def _too_large(self, raw: bytes) -> RecipientReply | None:
        """Return a refusal if the mail exceeds the size the server announced: do not even try (RFC 1870 section 6)."""
        limit = self._client.max_message_size
        if not limit or len(raw) <= limit:
            return None
        text = f"it accepts at most {limit:,} bytes, and this mail has {len(raw):,}"
        return RecipientReply(verdict=Verdict.PERMANENT, code=552, text=text, step="EHLO")

    async def _mail(self, raw: bytes, sender: str, *, utf8: bool) -> Reply:
        options = [f"SIZE={len(raw)}"] if self._client.supports_extension("size") else []
        if not raw.isascii() and self._client.supports_extension("8bitmime"):
            options.append("BODY=8BITMIME")
        if utf8:
            options.append("SMTPUTF8")
        try:
            command = self._client.mail(_ascii_domain(sender), options=options, encoding=_encoding(utf8=utf8))
            return await self._command("MAIL", command)
        except ValueError as error:
            text = "it does not offer SMTPUTF8, which the sender's address needs"
            raise UpstreamFailed(Failure.UNWILLING, text) from error

    async def _rcpt(self, recipient: str, *, utf8: bool) -> None:
        """Ask whether the server accepts mail for `recipient`; note a refusal."""
        self.pending_recipient = recipient
        try:
            command = self._client.rcpt(_ascii_domain(recipient), encoding=_encoding(utf8=utf8))
            reply = await self._command("RCPT", command)
        except ValueError:
            text = "it does not offer SMTPUTF8, which this address needs"
            self.replies[recipient] = RecipientReply(verdict=Verdict.PERMANENT, code=0, text=text, step="RCPT")
        else:
            if reply.good:
                self.accepted.append(recipient)
            else:
                self.replies[recipient] = self._refusal(reply)
        self.pending_recipient = ""

    async def _data(self, raw: bytes) -> RecipientReply:
        """Send DATA and the content; return the one reply for all accepted recipients."""
        reply = await self._command("DATA", self._client.execute_command(b"DATA"))
        if reply.code != 354:
            return self._refusal(reply)
        self.step, self.content_started = END_OF_DATA, True
        self._set_reply_for_accepted(missing_reply("no reply in time"))
        try:
            self._client.send_content(raw)
            reach("deliver.sent")
            response = await self._client.read_reply(None)  # limited by the whole try: see RFC 1047
        except aiosmtplib.SMTPResponseException as error:
            return missing_reply(self._scrub(f"invalid SMTP reply: {error.message}"))
        except (aiosmtplib.SMTPException, OSError):
            return missing_reply("the connection broke before the reply")
        return recipient_reply(Reply(response.code, self._scrub(response.message)), self.step)

    def _refusal(self, reply: Reply) -> RecipientReply:
        """Return a refusal (4xx, 5xx) for the recipients. Raises UpstreamFailed for any other reply."""
        if reply.code // 100 not in {4, 5}:
            raise self._unexpected(reply)
        return recipient_reply(reply, self.step)

    def _set_reply_for_accepted(self, reply: RecipientReply) -> None:
        self.replies.update(dict.fromkeys(self.accepted, reply))

    # --- Every command ------------------------------------------------------------------------------------------------

    async def _command(
        self,
        step: str,
        command: Awaitable[aiosmtplib.SMTPResponse],
        *,
        handshake: bool = False,
        credentials: bool = True,
    ) -> Reply:
        """Return the reply to one command, with any code.

        Raises UpstreamFailed if there is no valid reply, if it is 421, and if it is about credentials (unless
        `credentials` is unset).
        """
        try:
            code, message = await self._await_step(step, command, handshake=handshake)
        except aiosmtplib.SMTPResponseException as refusal:
            code, message = refusal.code, refusal.message
        reply = Reply(code, self._scrub(message))
        if not 200 <= code <= 599:
            shown = reply.text if code == NO_REPLY else reply
            raise UpstreamFailed(Failure.PROTOCOL, f"invalid SMTP reply at {step}: {shown}")
        if self._client.unsolicited:
            rest = self._scrub(self._client.unsolicited)
            raise UpstreamFailed(Failure.PROTOCOL, f"more than one reply at {step}: {reply}, then {rest}")
        if code == 421:
            raise self._unwilling(reply)
        if credentials and code in AUTH_CODES:
            raise UpstreamFailed(Failure.AUTH, f"it requires credentials, or other ones, at {step}: {reply}")
        return reply

    async def _login_command(self, step: str, command: Awaitable[aiosmtplib.SMTPResponse]) -> Reply:
        """Return the reply to one command of the login: there, a reply about credentials is an expected one."""
        return await self._command(step, command, credentials=False)

    async def _await_step(self, step: str, awaitable: Awaitable[T], *, handshake: bool) -> T:
        """Await one step. Raises UpstreamFailed for every error of the connection."""
        self.step = step
        try:
            return await awaitable
        except aiosmtplib.SMTPResponseException:
            raise
        except TimeoutError as error:
            raise UpstreamFailed(Failure.UNREACHABLE, f"no reply at {step} within {self._timeout:g} s") from error
        except ssl.SSLCertVerificationError as error:
            text = f"its certificate was not accepted: {os_error_text(error)}"
            raise UpstreamFailed(Failure.CERTIFICATE, text) from error
        except (OSError, aiosmtplib.SMTPException) as error:
            raise self._connection_error(step, error, handshake=handshake) from error

    def _connection_error(self, step: str, error: Exception, *, handshake: bool) -> UpstreamFailed:
        hung_up = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
        if handshake and (hung_up or isinstance(error, ssl.SSLError)):
            return UpstreamFailed(Failure.NO_TLS, f"the TLS handshake failed: {os_error_text(error)}; nothing was sent")
        if step == CONNECT:
            return UpstreamFailed(Failure.UNREACHABLE, f"cannot connect: {os_error_text(error)}")
        return UpstreamFailed(Failure.UNREACHABLE, f"the connection broke at {step}")

    def _unexpected(self, reply: Reply) -> UpstreamFailed:
        """Return the failure for a reply that does not continue the session: a refusal, or no valid reply here."""
        if reply.code // 100 in {4, 5}:
            return self._unwilling(reply)
        return UpstreamFailed(Failure.PROTOCOL, f"unexpected reply at {self.step}: {reply}")

    def _unwilling(self, reply: Reply) -> UpstreamFailed:
        return unwilling(self.step, reply)


def _encoding(*, utf8: bool) -> str:
    return "utf-8" if utf8 else "ascii"


def _local_part(address: str) -> str:
    return address.rpartition("@")[0]


def _ascii_domain(address: str) -> str:
    """Return an address with its domain in ASCII (IDNA), so that only a local part can need SMTPUTF8.

    Raises UnicodeError for an invalid domain.
    """
    local, at, domain = address.rpartition("@")
    return local + at + (domain if domain.isascii() else domain.encode("idna").decode("ascii"))
