"""One try to hand one letter over, command by command.

    connection · greeting · EHLO · (STARTTLS · EHLO) · AUTH · MAIL · RCPT … · DATA · content and final dot

Trouble on the way is the upstream's and raised as `Failed`; from MAIL on, 4xx and 5xx are the upstream's word on
the letter (MAIL, DATA) or on one recipient (RCPT) and come back as answers, except 421 (it is going away) and
replies about credentials. A letter is taken only by a 2xx after the final dot; without a word after that dot it
may have been taken, and the answer says so by code 0.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import aiosmtplib

from relay import config
from relay.deliver.client import NO_REPLY, Client
from relay.deliver.replies import AUTH_CODES, Failed, Reply, Scrub, answer, os_words, unanswered
from relay.failpoint import reach
from relay.model import Failure, RecipientReply, Verdict

MECHANISMS = ("cram-md5", "plain", "login")
"""What we can do, the best first."""
NO_EHLO = frozenset({500, 501, 502, 504})
"""How a server says that it does not know EHLO, or not like this (RFC 5321 section 4.2.4)."""

T = TypeVar("T")


class Session:
    """One try, and how far it has come."""

    def __init__(self, settings: config.Upstream, *, helo: str, scrub: Scrub) -> None:
        self._settings = settings
        self._helo = helo
        self._scrub = scrub
        self._timeout = settings.timeout.total_seconds()
        self._client = Client(settings.host, settings.port or 0, timeout=self._timeout)
        self.phase = "the connection"
        """What it is waiting for."""
        self.begun = False
        """MAIL was said: what goes wrong from here on may be about this letter."""
        self.asked = ""
        """The recipient whose RCPT it waits for; where it ended there, what went wrong may be about that one alone."""
        self.accepted: list[str] = []
        """The recipients whose RCPT was good."""
        self.sent = False
        """The content is on its way: from here on the upstream may have the letter."""
        self.answers: dict[str, RecipientReply] = {}
        """Who got which word. Once the content is on its way, complete at every moment."""

    async def open(self) -> None:
        """Come as far as an authenticated connection over the security asked for. Raises Failed."""
        if self._settings.username and self._settings.security == "none" and not self._settings.auth_in_clear:
            raise Failed(Failure.AUTH, "the password would go over the wire in clear, and auth_in_clear is not set")
        await self._connect()
        await self._greet()
        if self._settings.security == "starttls":
            await self._secure()
            await self._greet()
        if self._settings.username:
            await self._authenticate()

    async def hand_over(
        self, raw: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> None:
        """Say who gets what, then the content; fills `answers`. Raises Failed, and whatever `before_data` raises."""
        if too_large := self._too_large(raw):
            self.answers = dict.fromkeys(recipients, too_large)
            return
        utf8 = not all(_local_part(address).isascii() for address in (sender, *recipients))
        utf8 = utf8 and self._client.supports_extension("smtputf8")
        self.begun = True
        reply = await self._mail(raw, sender, utf8=utf8)
        if not reply.good:
            self.answers = dict.fromkeys(recipients, self._word(reply))
            return
        for recipient in recipients:
            await self._rcpt(recipient, utf8=utf8)
        if not self.accepted:
            return
        before_data()
        self._decide(await self._content(raw))

    async def close(self, *, politely: bool) -> None:
        """Let go of the connection."""
        await self._client.leave(politely=politely)

    # --- Up to an authenticated connection ----------------------------------------------------------------------------

    async def _connect(self) -> None:
        tls = self._settings.security == "tls"
        self._client.tls_context = self._tls_context()
        await self._guard("the connection", self._client.open(tls=tls), handshake=tls)
        reply = await self._ask("the greeting", self._client.read_reply(self._timeout))
        if reply.code != 220:
            raise self._unfit(reply)

    def _tls_context(self) -> ssl.SSLContext | None:
        """Return what checks the certificate: against `ca_file`, else the system's authorities; host name included."""
        if self._settings.security == "none":
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            raise Failed(Failure.CERTIFICATE, f"ca_file cannot be used: {os_words(error)}") from error

    async def _greet(self) -> None:
        """Say EHLO, or HELO where that is all the server knows."""
        reply = await self._ask("EHLO", self._client.ehlo(hostname=self._name()))
        if reply.code in NO_EHLO:
            reply = await self._ask("HELO", self._client.helo(hostname=self._name()))
        if reply.code != 250:
            raise self._unfit(reply)

    def _name(self) -> str:
        """What we call ourselves: our host's full name, else our address in brackets (RFC 5321 section 4.1.4)."""
        name = self._helo or socket.gethostname()
        if "." in name and name.isascii() and name.isprintable() and " " not in name:
            return name
        address = self._client.own_address
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    async def _secure(self) -> None:
        """STARTTLS, and never without: nothing but EHLO goes over the wire in clear."""
        if not self._client.supports_extension("starttls"):
            raise Failed(Failure.NO_TLS, "it does not offer STARTTLS, which is required; nothing was sent")
        reply = await self._ask("STARTTLS", self._client.starttls(), handshake=True)
        if not reply.good:
            raise Failed(Failure.NO_TLS, f"it refused STARTTLS, which is required; nothing was sent: {reply}")

    async def _authenticate(self) -> None:
        offered = self._client.server_auth_methods
        usable = [mechanism for mechanism in MECHANISMS if mechanism in offered]
        if not usable:
            names = self._scrub(" ".join(offered).upper())
            raise Failed(Failure.AUTH, f"it offers {names or 'no AUTH'}; the relay can do CRAM-MD5, PLAIN and LOGIN")
        refusal: Failed | None = None
        for mechanism in usable:  # some servers offer what they cannot do
            try:
                reply = await self._login(mechanism)
            except Failed as failure:  # such as a hang-up after the refusal, which says less than the refusal
                raise refusal or failure from failure
            if reply.good:
                return
            refusal = self._refused(reply, mechanism)
        if refusal:
            raise refusal

    async def _login(self, mechanism: str) -> Reply:
        login = getattr(self._client, f"auth_{mechanism.replace('-', '')}")
        password = self._settings.password.get_secret_value() if self._settings.password else ""
        phase = f"AUTH {mechanism.upper()}"
        reply = await self._ask(phase, login(self._settings.username, password), credentials=False)
        if reply.code // 100 == 3:  # it wants to go on where the exchange should be over (RFC 4954 section 4)
            reply = await self._ask(phase, self._client.execute_command(b"*"), credentials=False)
        return reply

    def _refused(self, reply: Reply, mechanism: str) -> Failed:
        if reply.code // 100 == 4:
            return self._unwilling(reply)
        return Failed(Failure.AUTH, f"it refused the credentials ({mechanism.upper()}): {reply}")

    # --- The letter ---------------------------------------------------------------------------------------------------

    def _too_large(self, raw: bytes) -> RecipientReply | None:
        """What the server has said of letters of this size: a client does not even try (RFC 1870 section 6)."""
        most = self._client.largest
        if not most or len(raw) <= most:
            return None
        words = f"it takes no mail above {most:,} bytes, and this one has {len(raw):,}"
        return RecipientReply(verdict=Verdict.PERMANENT, code=552, text=words, step="EHLO")

    async def _mail(self, raw: bytes, sender: str, *, utf8: bool) -> Reply:
        options = [f"SIZE={len(raw)}"] if self._client.supports_extension("size") else []
        if not raw.isascii() and self._client.supports_extension("8bitmime"):
            options.append("BODY=8BITMIME")
        if utf8:
            options.append("SMTPUTF8")
        try:
            address = _on_the_wire(sender)
            return await self._ask("MAIL", self._client.mail(address, options=options, encoding=_encoding(utf8=utf8)))
        except ValueError as error:
            raise Failed(Failure.UNWILLING, "it offers no SMTPUTF8, which the sender's address needs") from error

    async def _rcpt(self, recipient: str, *, utf8: bool) -> None:
        """Ask whether the upstream takes mail for `recipient`; where it does not, its answer is noted."""
        self.asked = recipient
        try:
            command = self._client.rcpt(_on_the_wire(recipient), encoding=_encoding(utf8=utf8))
            reply = await self._ask("RCPT", command)
        except ValueError:
            words = "it offers no SMTPUTF8, which this address needs"
            self.answers[recipient] = RecipientReply(verdict=Verdict.PERMANENT, code=0, text=words, step="RCPT")
        else:
            if reply.good:
                self.accepted.append(recipient)
            else:
                self.answers[recipient] = self._word(reply)
        self.asked = ""

    async def _content(self, raw: bytes) -> RecipientReply:
        """Send the content; return the one word on it for all whom it is meant for."""
        reply = await self._ask("DATA", self._client.execute_command(b"DATA"))
        if reply.code != 354:
            return self._word(reply)
        self.phase, self.sent = "the content", True
        self._decide(unanswered("no word on it in time"))
        try:
            self._client.send_content(raw)
            reach("deliver.sent")
            response = await self._client.read_reply(None)  # bounded by the whole try's limit: see RFC 1047
        except aiosmtplib.SMTPResponseException as error:
            return unanswered(self._scrub(f"no SMTP reply: {error.message}"))
        except (aiosmtplib.SMTPException, OSError):
            return unanswered("the connection broke before its word")
        return answer(Reply(response.code, self._scrub(response.message)), self.phase)

    def _word(self, reply: Reply) -> RecipientReply:
        """Return a refusal (4xx, 5xx) as an answer. Raises Failed for any other reply: it has no meaning here."""
        if reply.code // 100 not in {4, 5}:
            raise self._unfit(reply)
        return answer(reply, self.phase)

    def _decide(self, word: RecipientReply) -> None:
        self.answers.update(dict.fromkeys(self.accepted, word))

    # --- Every command ------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        phase: str,
        command: Awaitable[aiosmtplib.SMTPResponse],
        *,
        handshake: bool = False,
        credentials: bool = True,
    ) -> Reply:
        """Return the reply to one command, whatever its code. Raises Failed where there is none to be read, where it
        is 421, and (unless `credentials` is unset) where it is about credentials.
        """
        try:
            code, message = await self._guard(phase, command, handshake=handshake)
        except aiosmtplib.SMTPResponseException as refusal:
            code, message = refusal.code, refusal.message
        reply = Reply(code, self._scrub(message))
        if not 200 <= code <= 599:
            raise Failed(Failure.PROTOCOL, f"no SMTP reply at {phase}: {reply.text if code == NO_REPLY else reply}")
        if self._client.unasked:
            words = self._scrub(self._client.unasked)
            raise Failed(Failure.PROTOCOL, f"more than one reply at {phase}: {reply}, then {words}")
        if code == 421:
            raise self._unwilling(reply)
        if credentials and code in AUTH_CODES:
            raise Failed(Failure.AUTH, f"it wants credentials or other ones, at {phase}: {reply}")
        return reply

    async def _guard(self, phase: str, awaited: Awaitable[T], *, handshake: bool) -> T:
        """Await a step on the wire. Raises Failed for all that can befall a connection."""
        self.phase = phase
        try:
            return await awaited
        except aiosmtplib.SMTPResponseException:
            raise
        except TimeoutError as error:
            raise Failed(Failure.UNREACHABLE, f"no answer at {phase} within {self._timeout:g} s") from error
        except ssl.SSLCertVerificationError as error:
            raise Failed(Failure.CERTIFICATE, f"its certificate was not accepted: {os_words(error)}") from error
        except (OSError, aiosmtplib.SMTPException) as error:
            raise self._broken(phase, error, handshake=handshake) from error

    def _broken(self, phase: str, error: Exception, *, handshake: bool) -> Failed:
        hung_up = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
        if handshake and (hung_up or isinstance(error, ssl.SSLError)):
            return Failed(Failure.NO_TLS, f"the TLS handshake failed: {os_words(error)}; nothing was sent")
        if phase == "the connection":
            return Failed(Failure.UNREACHABLE, f"cannot connect: {os_words(error)}")
        return Failed(Failure.UNREACHABLE, f"the connection broke at {phase}")

    def _unfit(self, reply: Reply) -> Failed:
        """What a reply means that is not the one to go on with: a refusal, or nothing that SMTP knows here."""
        if reply.code // 100 in {4, 5}:
            return self._unwilling(reply)
        return Failed(Failure.PROTOCOL, f"it answered {self.phase} with {reply}")

    def _unwilling(self, reply: Reply) -> Failed:
        return Failed(Failure.UNWILLING, f"it refused at {self.phase}: {reply}")


def _encoding(*, utf8: bool) -> str:
    return "utf-8" if utf8 else "ascii"


def _local_part(address: str) -> str:
    return address.rpartition("@")[0]


def _on_the_wire(address: str) -> str:
    """Return an address with its domain in ASCII (IDNA), so that only a local part can need SMTPUTF8.

    Raises UnicodeError for a domain that cannot be one.
    """
    local, at, domain = address.rpartition("@")
    return local + at + (domain if domain.isascii() else domain.encode("idna").decode("ascii"))
