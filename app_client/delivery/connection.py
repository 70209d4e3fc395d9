"""The SMTP connection to the relay: one per process, opened on demand, kept open, replaced after a failure.

Last step of the flow. Guarantees: every result, also an error, is returned as a `Reply`; a mail counts as accepted only
on its 250; a connection that failed is not used again. Not thread-safe.
"""

import contextlib
import enum
import os
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass

from app_client.delivery.mailhost import is_loopback
from app_client.delivery.tls import Secure, tls_context

_AUTH_CODES = frozenset({530, 534, 535, 538})
"""RFC 4954 section 6: the login is refused, not the mail. An administrator can fix it, so the mail is retried."""


class Outcome(enum.Enum):
    """The outcome of one attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Permanent failure: a 5xx reply for this mail."""
    DEFERRED = "deferred"
    """Temporary failure: a 4xx reply for this mail."""
    LOST = "lost"
    """No reply: no connection, a broken connection or a timeout. The relay may have accepted the mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The result of one attempt; `detail` is one bounded line for a log, without credentials."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Address of the relay, timeout and credentials. Its `repr` does not contain the credentials."""

    host: str
    port: int
    local_name: str
    timeout: float
    """Seconds for each SMTP step."""
    credentials: tuple[str, str] | None
    secure: Secure | None
    """As in the standard handler: with credentials, any value but None means STARTTLS."""

    def __repr__(self) -> str:
        return f"{self.host} port {self.port}"

    def open(self) -> smtplib.SMTP:
        """Connect, send EHLO and, with credentials, log in. Raises OSError (the base class of smtplib's errors)."""
        smtp = smtplib.SMTP(self.host, self.port, self.local_name, self.timeout)
        try:
            smtp.ehlo_or_helo_if_needed()
            if self.credentials:
                if self.secure is not None:
                    smtp.starttls(context=tls_context(self.secure, checked=not is_loopback(self.host)))
                smtp.login(*self.credentials)
        except BaseException:
            smtp.close()
            raise
        return smtp


class Connection:
    """Sends mails one after the other over one SMTP connection."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self._smtp: smtplib.SMTP | None = None

    def send(self, sender: str, recipients: Sequence[str], content: bytes) -> Reply:
        """Send the mail once. One accepted recipient is enough, as for the standard handler."""
        try:
            self._smtp = self._smtp or self.settings.open()
        except OSError as error:
            return Reply(outcome=Outcome.LOST, detail=describe(error))
        try:
            self._smtp.sendmail(sender, recipients, content)
        except OSError as error:
            reply = _reply_to(error)
        else:
            return Reply(outcome=Outcome.ACCEPTED)
        if reply.outcome is Outcome.LOST:
            self.abort()
        elif reply.outcome is Outcome.DEFERRED:
            self.close()
        return reply

    def close(self) -> None:
        """Send QUIT if connected, and close the connection."""
        if self._smtp is not None:
            with contextlib.suppress(OSError):
                self._smtp.quit()
        self.abort()

    def abort(self) -> None:
        """Close the connection without QUIT."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with contextlib.suppress(OSError):
                smtp.close()

    def release_after_fork(self) -> None:
        """Close a forked child's copy of the parent's socket, without sending anything on it.

        Only the file descriptor is closed. A thread that exists only in the parent may hold the locks of the buffers.
        """
        smtp, self._smtp = self._smtp, None
        if smtp is not None and smtp.sock is not None:
            with contextlib.suppress(OSError):
                os.close(smtp.sock.detach())


def _reply_to(error: OSError) -> Reply:
    code = _code(error)
    if code in _AUTH_CODES or (400 <= code < 500 and code != 421):  # 421 closes the connection: RFC 5321 section 3.8
        outcome = Outcome.DEFERRED
    elif code >= 500:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.LOST
    return Reply(outcome=outcome, detail=describe(error))


def _code(error: OSError) -> int:
    """Return the reply code, 0 without a reply; if all recipients are refused, the lowest of their codes."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(code for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code
    return 0


def describe(error: OSError) -> str:
    """Describe a failed attempt in one line. The reply to a login is left out: it may repeat the credentials."""
    code = _code(error)
    name = type(error).__name__
    if not code:
        return f"{name}: {_one_line(str(error))}"
    if not isinstance(error, smtplib.SMTPResponseException) or isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{name}: {code}"
    text = error.smtp_error
    return f"{name}: {code} {_one_line(text.decode('ascii', 'replace') if isinstance(text, bytes) else text)}"


def _one_line(text: str) -> str:
    return ascii(text)[1:-1][:200]
