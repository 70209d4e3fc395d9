"""The handler that an app puts in place of `logging.handlers.SMTPHandler`: same constructor, no waiting.

First on the way of a report: `emit` formats the record where it was logged and hands it to this process's `Sender`.
Its guarantee: it neither blocks nor raises, whatever the relay does, and each record is either mailed or counted as
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
from app_client.delivery.connection import Access, Connection
from app_client.delivery.courier import Courier
from app_client.delivery.fallback import Fallback
from app_client.delivery.mailhost import Mailhost, split_mailhost
from app_client.delivery.message import Origin, addresses
from app_client.delivery.queue import Backlog
from app_client.delivery.sender import Sender
from app_client.delivery.tls import Secure
from app_client.formatting.request import FactSource


class ErrorMailHandler(SMTPHandler):
    """Sends each record to the relay as a mail, from a thread of its own.

    In a storm, equal records (same logger, place and exception) that wait to be sent become one mail with a count. What
    cannot be queued or delivered is counted, and the next mail says so. Safe with threads and with servers that fork.

    The arguments are the stock handler's, and more by keyword. `mailhost` may also be "host:port"; `secure` may also
    be, or hold, an `ssl.SSLContext`. `app`, `environment` and `release` tell the relay whose errors these are,
    `package` which code is the app's own if that is installed as a package, and `facts` what is known of the request
    in hand. At most `queue_size` mails and about `queue_bytes` bytes wait in memory. In seconds: `timeout` for each
    step with the relay, `idle_timeout` until the connection is closed when there is nothing to send, `exit_timeout`
    to deliver what waits when the handler is flushed or closed or the interpreter ends. `fallback` is a folder for
    mails when the relay is away for long or at the end: any process that has the same folder for the same relay
    sends them later. Raises ValueError for what cannot work.
    """

    def __init__(  # noqa: PLR0913 - the first seven are the stock handler's, in its order
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
            raise ValueError("toaddrs is empty: nobody would get the error mails")
        addresses((fromaddr, *recipients))
        if min(timeout, queue_size, queue_bytes) <= 0:
            raise ValueError("timeout, queue_size and queue_bytes must be greater than 0")
        super().__init__(host, fromaddr, recipients, subject, credentials, timeout=timeout)
        self.mailport = port
        self.secure = secure  # type: ignore[assignment]  # a context as well, unlike the stock handler's
        self._origin = Origin(app=app, environment=environment, release=release, package=package, host=gethostname())
        self._facts = facts
        self._queue_limits = (queue_size, queue_bytes)
        self._idle_timeout, self._exit_timeout = idle_timeout, exit_timeout
        self._senders: dict[int, Sender] = {}  # by process id: at most our own and, in a fresh child, the parent's
        self._emitting = threading.local()
        self._fallback = Path(fallback).absolute() if fallback else None
        if self._fallback and self._fallback.is_dir():
            self._sender().wake()

    @property
    def pending(self) -> int:
        """Records of this process that wait in memory for the relay's 250."""
        return self._sender().pending

    @property
    def dropped(self) -> int:
        """Records of this process that had to be dropped, as far as no mail has told of them yet."""
        return self._sender().dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record here and now and queue it; once only, however many loggers it propagates through.

        When an equal one waits already, this one is only counted: its text would not be sent.
        """
        seen = record.__dict__.setdefault("_error_mail_seen", set())
        if id(self) in seen:
            return
        seen.add(id(self))
        sender = self._sender()
        if sender.is_own_thread() or getattr(self._emitting, "now", False):
            sender.drop()  # logged while a record was being mailed or formatted: counted, or it might go round for ever
            return
        self._emitting.now = True
        try:
            kind = kind_of(record)
            if not sender.fold(kind):
                sender.post(self._report(record, kind))
        except Exception:  # noqa: BLE001 - formatting runs the app's own code, and logging must not raise
            sender.drop()
            with contextlib.suppress(Exception):
                self.handleError(record)
        finally:
            self._emitting.now = False

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the relay has answered for all records so far, at most `timeout` (or `exit_timeout`) seconds."""
        self._sender().drain(self._exit_timeout if timeout is None else timeout)

    def close(self) -> None:
        """Deliver what waits within `exit_timeout`, drop the rest, hang up. Records that come later are still sent."""
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
        """This process's own sender. A forked child starts afresh: what waits in its parent is the parent's to send.

        Told by the process id, because a server written in C may fork without Python's fork hooks; without a lock,
        because a thread of the parent might have held it.
        """
        pid = os.getpid()
        sender = self._senders.get(pid)
        if sender is None:
            sender = self._senders.setdefault(pid, self._new_sender())
            for parent in [other for other in tuple(self._senders) if other != pid]:
                if (stale := self._senders.pop(parent, None)) is not None:
                    stale.forget()
            self._drain_with_multiprocessing()
        return sender

    def _new_sender(self) -> Sender:
        queue_size, queue_bytes = self._queue_limits
        access = Access(
            host=self.mailhost,
            port=self.mailport or SMTP_PORT,
            local_name=self._origin.domain,
            timeout=self.timeout,
            credentials=(self.username, self.password) if self.username else None,
            secure=self.secure,
        )
        return Sender(
            backlog=Backlog(max_entries=queue_size, max_bytes=queue_bytes),
            courier=Courier(Connection(access), self._origin),
            idle_timeout=self._idle_timeout,
            fallback=Fallback(self._fallback) if self._fallback else None,
        )

    def _drain_with_multiprocessing(self) -> None:
        """Flush at the end of a `multiprocessing` child, which leaves without the interpreter's exit hooks."""
        util = sys.modules.get("multiprocessing.util")
        process = sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, self.flush, exitpriority=0)


def _situation(record: logging.LogRecord) -> tuple[str, str]:
    """A hint alone: where an exception of the app's own makes trouble even here, the mail goes without it."""
    with contextlib.suppress(Exception):
        if record.exc_info and record.exc_info[1] is not None:
            return situation_of(record.exc_info[1]) or ("", "")
    return "", ""
