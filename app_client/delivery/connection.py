"""The one SMTP connection of a process: opened when first needed, kept open, replaced when it breaks.

Last on the way of a report. Whatever the relay does becomes a `Reply`; a mail counts as taken on its 250 alone, and a
connection that failed is never used again. Not for two threads at once.
"""

import contextlib
import enum
import os
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass

from app_client.delivery.mailhost import is_loopback
from app_client.delivery.tls import Secure, tls_context

_AUTH_TROUBLE = frozenset({530, 534, 535, 538})
"""RFC 4954 section 6: about who we are, not about the mail, and mended by an administrator."""


class Outcome(enum.Enum):
    """What became of a try."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For good: 5xx for this mail."""
    DEFERRED = "deferred"
    """For now: the relay answered, and said 4xx for this mail."""
    LOST = "lost"
    """No answer: not reachable, broken off or timed out. The mail may have been taken all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a try ended, in words fit for a log: no credentials, one line, bounded."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach the relay and what to show it; as text it keeps the password to itself."""

    host: str
    port: int
    local_name: str
    timeout: float
    """Seconds for each step of the conversation."""
    credentials: tuple[str, str] | None
    secure: Secure | None
    """As in the stock handler: with credentials, anything but None means STARTTLS."""

    def __repr__(self) -> str:
        return f"{self.host} port {self.port}"

    def open(self) -> smtplib.SMTP:
        """Connect, greet, and where there are credentials log in; raises OSError (smtplib's errors are such)."""
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
    """Sends one mail after the other."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._smtp: smtplib.SMTP | None = None

    def send(self, sender: str, recipients: Sequence[str], content: bytes) -> Reply:
        """Try once. One recipient that is taken is enough, as for the stock handler."""
        try:
            self._smtp = self._smtp or self.access.open()
        except OSError as trouble:
            return Reply(outcome=Outcome.LOST, detail=describe(trouble))
        try:
            self._smtp.sendmail(sender, recipients, content)
        except OSError as trouble:
            reply = _reply_to(trouble)
        else:
            return Reply(outcome=Outcome.ACCEPTED)
        if reply.outcome is Outcome.LOST:
            self.break_off()
        elif reply.outcome is Outcome.DEFERRED:
            self.close()
        return reply

    def close(self) -> None:
        """Say QUIT when there is anybody to hear it, and close."""
        if self._smtp is not None:
            with contextlib.suppress(OSError):
                self._smtp.quit()
        self.break_off()

    def break_off(self) -> None:
        """Close without a word."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with contextlib.suppress(OSError):
                smtp.close()

    def forget(self) -> None:
        """In a forked child: let go of the parent's socket without a word on it.

        The descriptor alone is closed. The buffers around it may be locked by a thread that exists only in the parent.
        """
        smtp, self._smtp = self._smtp, None
        if smtp is not None and smtp.sock is not None:
            with contextlib.suppress(OSError):
                os.close(smtp.sock.detach())


def _reply_to(trouble: OSError) -> Reply:
    code = _code(trouble)
    if code in _AUTH_TROUBLE or (400 <= code < 500 and code != 421):  # 421 closes the connection: RFC 5321 section 3.8
        outcome = Outcome.DEFERRED
    elif code >= 500:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.LOST
    return Reply(outcome=outcome, detail=describe(trouble))


def _code(trouble: OSError) -> int:
    """The reply's code, 0 where there was no reply; of several recipients' the mildest."""
    if isinstance(trouble, smtplib.SMTPRecipientsRefused):
        return min(code for code, _ in trouble.recipients.values())
    if isinstance(trouble, smtplib.SMTPResponseException):
        return trouble.smtp_code
    return 0


def describe(trouble: OSError) -> str:
    """One line on a failed try. What the server said to a login stays out: it may repeat what was shown to it."""
    code = _code(trouble)
    name = type(trouble).__name__
    if not code:
        return f"{name}: {_one_line(str(trouble))}"
    if not isinstance(trouble, smtplib.SMTPResponseException) or isinstance(trouble, smtplib.SMTPAuthenticationError):
        return f"{name}: {code}"
    said = trouble.smtp_error
    return f"{name}: {code} {_one_line(said.decode('ascii', 'replace') if isinstance(said, bytes) else said)}"


def _one_line(text: str) -> str:
    return ascii(text)[1:-1][:200]
