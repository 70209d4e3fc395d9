"""One attempt to send one mail, and the client's messages about failures on stderr.

Used by the sending thread. Guarantee: every result of an attempt is a `Reply`, never an exception.
"""

import contextlib
import logging
import sys
from collections.abc import Callable

from app_client.delivery.connection import Connection, Outcome, Reply
from app_client.delivery.fallback import Mail
from app_client.delivery.message import Origin, compose, envelope
from app_client.delivery.queue import QueuedMail


class Courier:
    """Sends the mails of one process."""

    def __init__(self, connection: Connection, origin: Origin) -> None:
        self.connection = connection
        self._origin = origin
        self._reported: set[str] = set()

    def mail_of(self, queued: QueuedMail) -> Mail:
        """Return the queued report as a mail; raises ValueError for an invalid address."""
        sender, recipients = envelope(queued.report)
        return Mail(sender=sender, recipients=recipients, content=compose(queued, self._origin))

    def deliver(self, make_mail: Callable[[], Mail]) -> Reply:
        """Send the mail that `make_mail` returns, once. A ValueError is a permanent failure, other errors temporary."""
        try:
            mail = make_mail()
            return self.connection.send(mail.sender, mail.recipients, mail.content)
        except Exception as error:  # noqa: BLE001 - the thread must survive every error
            self.connection.abort()
            permanent = isinstance(error, ValueError)
            return Reply(outcome=Outcome.REFUSED if permanent else Outcome.DEFERRED, detail=type(error).__name__)

    def report_problem(self, problem: str, detail: str) -> None:
        """Write one line to stderr, as `logging` does for its own errors; like there, the write may block.

        The same problem is written once, until an empty `problem` reports success.
        """
        if not problem:
            self._reported.clear()
        elif problem not in self._reported:
            if logging.raiseExceptions and sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(f"error mail to {self.connection.settings}: {problem} ({detail})\n")
            self._reported.add(problem)
