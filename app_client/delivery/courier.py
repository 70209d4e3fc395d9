"""Takes mails to the relay, one after the other, and says on stderr how that goes; for the sending thread.

Guarantee: whatever happens to a mail on the way is a `Reply`, never an exception.
"""

import contextlib
import logging
import sys
from collections.abc import Callable

from app_client.delivery.connection import Connection, Outcome, Reply
from app_client.delivery.fallback import OutboxMessage
from app_client.delivery.message import Origin, compose, envelope
from app_client.delivery.queue import Parcel


class Courier:
    """One process's."""

    def __init__(self, connection: Connection, origin: Origin) -> None:
        self.connection = connection
        self._origin = origin
        self._said: set[str] = set()

    def letter(self, parcel: Parcel) -> OutboxMessage:
        """The parcel as a mail; raises ValueError for an address that is none."""
        sender, recipients = envelope(parcel.report)
        return OutboxMessage(sender=sender, recipients=recipients, content=compose(parcel, self._origin))

    def carry(self, write: Callable[[], OutboxMessage]) -> Reply:
        """Try once to send what `write` returns; where it raises, ValueError means that it always will."""
        try:
            letter = write()
            return self.connection.send(letter.sender, letter.recipients, letter.content)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the thread must go on
            self.connection.break_off()
            lasting = isinstance(trouble, ValueError)
            return Reply(outcome=Outcome.REFUSED if lasting else Outcome.DEFERRED, detail=type(trouble).__name__)

    def say(self, remark: str, detail: str) -> None:
        """One line on stderr, as `logging` does for its own troubles, and it may block as well.

        Not the same twice, until an empty remark says that all is well again.
        """
        if not remark:
            self._said.clear()
        elif remark not in self._said:
            if logging.raiseExceptions and sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(f"error mail to {self.connection.access}: {remark} ({detail})\n")
            self._said.add(remark)
