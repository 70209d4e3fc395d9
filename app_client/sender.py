"""The thread that brings a process's reports to the relay, and the only place where anything waits.

`post` hands over and returns at once. The thread starts with the first report, ends after a while without any (closing
the connection), and keeps trying, with growing pauses, as long as the relay is away. An interpreter about to end may no
longer start threads; then `drain` does the same work in its caller's.
"""

import contextlib
import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable

from app_client.backlog import Backlog, Parcel
from app_client.connection import Connection, Outcome, Reply
from app_client.message import Origin, compose, envelope
from app_client.report import Report

for _module in ("email.generator", "encodings.ascii", "encodings.idna"):
    # What the thread needs is loaded before there is one: a fork in the midst of its import would leave the child half
    # a module, for good. The standard library itself imports these only when they are first used.
    importlib.import_module(_module)

PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before each further try; a relay that restarts is back within the first few."""
_HURRY = 0.25  # the longest pause while somebody waits for the backlog to drain
_DEFERRALS = 30  # a mail answered 4xx so often is given up: it must not hold up all others for ever
_PARTING = 1.0  # seconds that `close` grants the thread for its QUIT
_IN_A_ROW = 1.0  # seconds at most between a flush and a close that share one limit


class Sender:
    """The sending half of a handler, for one process."""

    def __init__(self, *, backlog: Backlog, connection: Connection, origin: Origin, idle_timeout: float) -> None:
        self._backlog = backlog
        self._connection = connection
        self._origin = origin
        self._idle_timeout = idle_timeout
        self._thread: threading.Thread | None = None
        # Re-entrant: a signal handler may log in the middle of `post`, in the same thread.
        self._turn = threading.Condition(threading.RLock())
        self._closed = False
        self._failures = 0  # tries in vain since something was last settled
        self._deferrals = 0  # those of the parcel in hand that were answered
        self._due = 0.0  # monotonic time of the next try
        self._hurry_until = 0.0
        self._waited = (0.0, 0.0)  # when the last drain in vain ended, and its length
        self._said = ""

    @property
    def pending(self) -> int:
        """Occurrences that wait for their 250."""
        return self._backlog.pending

    @property
    def dropped(self) -> int:
        """Occurrences dropped that no accepted mail has told of yet."""
        return self._backlog.dropped

    def is_own_thread(self) -> bool:
        """True in the sending thread, whose own records must not be mailed."""
        thread = self._thread
        return thread is not None and thread.ident == threading.get_ident()

    def fold(self, kind: int) -> bool:
        """Count one more of an error that waits to be sent anyway; False when none of its kind does."""
        with self._turn:
            return self._backlog.fold(kind)

    def post(self, report: Report) -> None:
        """Queue a report, or count it as dropped; never waits for the relay."""
        with self._turn:
            self._closed = False
            self._backlog.add(report)
            self._ensure_thread()
            self._turn.notify_all()

    def drop(self) -> None:
        """Count a record that could not be made a report of."""
        with self._turn:
            self._backlog.drop()

    def drain(self, limit: float) -> bool:
        """Wait until all that was posted before is settled, at most `limit` seconds; True if it is."""
        started = time.monotonic()
        deadline = started + limit
        with self._turn:
            target = self._backlog.opened
            self._hurry_until = max(self._hurry_until, deadline)
            self._due = 0.0
            threaded = self._backlog.settled >= target or self._ensure_thread()
            self._turn.notify_all()
            while threaded and self._backlog.settled < target and (left := deadline - time.monotonic()) > 0:
                self._turn.wait(left)
        if not threaded:
            self._work(lambda: self._backlog.settled < target and time.monotonic() < deadline)
        if self._backlog.settled >= target:
            return True
        self._waited = (time.monotonic(), time.monotonic() - started)
        return False

    def close(self, limit: float) -> None:
        """Drain within `limit` seconds, drop what is left, end the thread.

        `logging.shutdown` calls flush and close in a row: the limit holds for both together.
        """
        ended, length = self._waited
        drained = self.drain(limit - length if time.monotonic() - ended < _IN_A_ROW else limit)
        with self._turn:
            self._closed = True
            lost = self._backlog.abandon()
            self._turn.notify_all()
            thread = self._thread
        if lost:
            self._say("closed before the relay took the last ones, which are dropped", str(lost))
        if thread is None:
            self._connection.close()
        elif drained and not self.is_own_thread():
            thread.join(_PARTING)

    def forget(self) -> None:
        """In a forked child: let go of what belongs to the parent, touching no lock of its threads."""
        self._connection.forget()

    def _ensure_thread(self) -> bool:
        """Start the thread unless it runs; False when that is not possible (any more)."""
        if self._thread is not None and self._thread.is_alive():
            return True
        try:
            self._thread = threading.Thread(target=self._run, name="error-mail", daemon=True)
            self._thread.start()
        except RuntimeError:  # no more threads to be had, or the interpreter is about to end
            self._thread = None
        return self._thread is not None

    def _run(self) -> None:
        while self.is_own_thread():
            self._work(self.is_own_thread)
            self._connection.close()
            with self._turn:
                if self._backlog.take() is None:
                    self._thread = None

    def _work(self, go_on: Callable[[], bool]) -> None:
        """Send what is due until nothing has come for `idle_timeout`, the sender was closed, or `go_on` says no."""
        while (parcel := self._next(go_on)) is not None:
            reply = self._try(parcel)
            with self._turn:
                remark = self._settle(parcel, reply)
                self._turn.notify_all()
            if not self._closed:
                self._say(remark, reply.detail)  # outside the turn: stderr may block, and `post` must not

    def _next(self, go_on: Callable[[], bool]) -> Parcel | None:
        """Wait for the parcel that is due next; None when it is time to stop."""
        with self._turn:
            idle_until = time.monotonic() + self._idle_timeout
            while go_on():
                now = time.monotonic()
                parcel = self._backlog.take()
                if parcel is not None and now >= self._due:
                    return parcel
                if parcel is None and (self._closed or now >= idle_until):
                    break
                self._turn.wait((idle_until if parcel is None else self._due) - now)
            return None

    def _try(self, parcel: Parcel) -> Reply:
        try:
            return self._connection.send(*envelope(parcel.report), compose(parcel, self._origin))
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the thread must go on
            self._connection.break_off()
            lasting = isinstance(trouble, ValueError)  # what is wrong with the mail will be wrong with it next time
            return Reply(outcome=Outcome.REFUSED if lasting else Outcome.DEFERRED, detail=type(trouble).__name__)

    def _settle(self, parcel: Parcel, reply: Reply) -> str:
        """Book what became of a try, and return what there is to say of it."""
        self._deferrals += reply.outcome is Outcome.DEFERRED
        if reply.outcome is Outcome.ACCEPTED:
            self._backlog.accept(parcel)
            remark = ""
        elif reply.outcome is Outcome.REFUSED or self._deferrals >= _DEFERRALS:
            self._backlog.refuse(parcel)
            remark = "a mail was refused and is dropped"
        else:
            self._failures += 1
            self._due = time.monotonic() + self._pause()
            return "not possible at the moment, trying on"
        self._failures = self._deferrals = 0
        self._due = 0.0
        return remark

    def _pause(self) -> float:
        pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
        return min(pause, _HURRY) if time.monotonic() < self._hurry_until else pause

    def _say(self, remark: str, detail: str) -> None:
        """One line on stderr, as `logging` does for its own troubles; not twice the same in a row."""
        if remark != self._said and remark and logging.raiseExceptions and sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"error mail to {self._connection.access}: {remark} ({detail})\n")
        self._said = remark
