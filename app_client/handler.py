"""`ErrorMailHandler`: a non-blocking replacement for `logging.handlers.SMTPHandler` with the same constructor.

First step of the flow: `emit` formats the record in the thread that logged it and passes it to this process's `Sender`.
Guarantee: `emit` neither blocks nor raises, whatever the relay does. Each record is either mailed, or counted as
dropped in a later mail.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from logging.handlers import SMTPHandler
from pathlib import Path
from smtplib import SMTP_PORT
from socket import gethostname

from app_client.capture.report import Report, kind_of
from app_client.capture.situations import situation_of
from app_client.capture.snapshot import snapshot
from app_client.capture.text import text_of
from app_client.delivery.connection import Connection, ConnectionSettings
from app_client.delivery.courier import Courier
from app_client.delivery.fallback import Fallback
from app_client.delivery.mailhost import Mailhost, split_mailhost
from app_client.delivery.message import Origin, addresses
from app_client.delivery.queue import ReportQueue
from app_client.delivery.sender import Sender
from app_client.delivery.tls import Secure
from app_client.formatting.request import FactSource


class ErrorMailHandler(SMTPHandler):
    """Sends each record to the relay as a mail, from a separate thread.

    Equal records (same logger, location and exception) that wait in the queue become one mail with a count. Records
    that cannot be queued or delivered are counted, and the next mail reports the count. Safe with threads and with
    servers that fork.

    The positional arguments are those of the standard handler. `mailhost` may also be "host:port"; `secure` may also
    be, or contain, an `ssl.SSLContext`. Keyword arguments:

    - `app`, `environment`, `release`: the origin of the errors, for the relay;
    - `package`: the app's top package, where the app itself is installed as a package;
    - `facts`: a function that returns the facts of the current request;
    - `queue_size`, `queue_bytes`: limits of the queue in memory, in mails and in (approximate) bytes;
    - `timeout`: seconds for each SMTP step;
    - `idle_timeout`: seconds without a mail until the connection is closed;
    - `exit_timeout`: seconds to deliver queued mails on flush, on close and when the interpreter ends;
    - `fallback`: a folder for mails that cannot be delivered for long, or not before the exit. Any process with the
      same folder and the same relay sends them later.

    Raises ValueError for arguments that cannot work.
    """

    def __init__(  # noqa: PLR0913 - the first seven are those of the standard handler, in its order
        self,
        mailhost: Mailhost,
        fromaddr: str,
        toaddrs: str | Sequence[str],
        subject: str,
        credentials: tuple[str, str] | None = None,
        secure: Secure | None = None,
        timeout: float = 5.0,
        *,
        app: str = "",
        environment: str = "",
        release: str = "",
        package: str = "",
        facts: FactSource | None = None,
        queue_size: int = 1000,
        queue_bytes: int = 16 * 1024 * 1024,
        idle_timeout: float = 30.0,
        exit_timeout: float = 5.0,
        fallback: str | os.PathLike[str] | None = None,
    ) -> None:
        host, port = split_mailhost(mailhost)
        recipients = [toaddrs] if isinstance(toaddrs, str) else list(toaddrs)
        if not recipients:
            raise ValueError("toaddrs is empty: nobody would receive the error mails")
        addresses((fromaddr, *recipients))
        if min(timeout, queue_size, queue_bytes) <= 0:
            raise ValueError("timeout, queue_size and queue_bytes must be greater than 0")
        super().__init__(host, fromaddr, recipients, subject, credentials, timeout=timeout)
        self.mailport = port
        self.secure = secure  # type: ignore[assignment]  # may be a context, unlike in the standard handler
        self._origin = Origin(app=app, environment=environment, release=release, package=package, host=gethostname())
        self._facts = facts
        self._queue_limits = (queue_size, queue_bytes)
        self._idle_timeout, self._exit_timeout = idle_timeout, exit_timeout
        self._senders: dict[int, Sender] = {}  # by process id: ours and, right after a fork, the parent's
        self._emitting = threading.local()
        self._fallback = Path(fallback).absolute() if fallback else None
        if self._fallback and self._fallback.is_dir():
            self._sender().wake()

    @property
    def pending(self) -> int:
        """Number of records of this process that wait in memory for the relay's 250."""
        return self._sender().pending

    @property
    def dropped(self) -> int:
        """Number of dropped records of this process that no accepted mail has reported yet."""
        return self._sender().dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record and queue it. A record that propagates through several loggers is queued once.

        If an equal record waits in the queue, this record is counted and not formatted: its text would not be sent.
        """
        seen = record.__dict__.setdefault("_error_mail_seen", set())
        if id(self) in seen:
            return
        seen.add(id(self))
        sender = self._sender()
        if sender.is_own_thread() or getattr(self._emitting, "now", False):
            # Logged while this handler formats or sends a record: mailing it could cause an endless loop.
            sender.drop()
            return
        self._emitting.now = True
        try:
            kind = kind_of(record)
            if not sender.count_repeat(kind):
                sender.post(self._report(record, kind))
        except Exception:  # noqa: BLE001 - formatting runs code of the app, and logging must not raise
            sender.drop()
            with contextlib.suppress(Exception):
                self.handleError(record)
        finally:
            self._emitting.now = False

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the relay has answered for all queued records, at most `timeout` (or `exit_timeout`) seconds."""
        self._sender().drain(self._exit_timeout if timeout is None else timeout)

    def close(self) -> None:
        """Deliver queued records within `exit_timeout` seconds, store or drop the rest, and disconnect.

        Records that are logged later are still sent.
        """
        self._sender().close(self._exit_timeout)
        super().close()

    def _report(self, record: logging.LogRecord, kind: int) -> Report:
        situation, reason = _situation(record)
        text, trace = text_of(record, self)
        return Report(
            sender=self.fromaddr,
            recipients=tuple(self.toaddrs),
            subject=str(self.getSubject(record)),
            text=text,
            created=record.created,
            logger=record.name,
            level=record.levelname,
            kind=kind,
            situation=situation,
            situation_reason=reason,
            snapshot=snapshot(record, self._facts),
            trace=trace,
        )

    def _sender(self) -> Sender:
        """Return the sender of this process. A forked child gets a new, empty one: its parent sends the old queue.

        A fork is detected by the process id, because a server written in C may fork without Python's fork hooks. No
        lock is taken here: at the time of the fork, a thread of the parent might have held it.
        """
        pid = os.getpid()
        sender = self._senders.get(pid)
        if sender is None:
            sender = self._senders.setdefault(pid, self._new_sender())
            for parent in [other for other in tuple(self._senders) if other != pid]:
                if (stale := self._senders.pop(parent, None)) is not None:
                    stale.release_after_fork()
            self._drain_with_multiprocessing()
        return sender

    def _new_sender(self) -> Sender:
        queue_size, queue_bytes = self._queue_limits
        settings = ConnectionSettings(
            host=self.mailhost,
            port=self.mailport or SMTP_PORT,
            local_name=self._origin.domain,
            timeout=self.timeout,
            credentials=(self.username, self.password) if self.username else None,
            secure=self.secure,
        )
        return Sender(
            queue=ReportQueue(max_entries=queue_size, max_bytes=queue_bytes),
            courier=Courier(Connection(settings), self._origin),
            idle_timeout=self._idle_timeout,
            fallback=Fallback(self._fallback) if self._fallback else None,
        )

    def _drain_with_multiprocessing(self) -> None:
        """Flush at the end of a `multiprocessing` child, which ends without the interpreter's exit hooks."""
        util = sys.modules.get("multiprocessing.util")
        process = sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, self.flush, exitpriority=0)


def _situation(record: logging.LogRecord) -> tuple[str, str]:
    """Return situation and reason; ("", "") without an exception, or if a class of the app raises on inspection."""
    with contextlib.suppress(Exception):
        if record.exc_info and record.exc_info[1] is not None:
            return situation_of(record.exc_info[1]) or ("", "")
    return "", ""
