"""The thread that brings a process's reports to the relay, and the only place where anything waits.

`post` hands over and returns at once. The thread starts with the first report, ends after a while without any (closing
the connection), and keeps trying, with growing pauses, as long as the relay is away. With a fallback folder, what waits
moves there when that takes long, and goes out when the relay is back. An interpreter about to end may no longer start
threads; then `drain` does the same work in its caller's.

The thread rests for a moment between one round of mails and the next. Equal errors are folded meanwhile, at a
hundredth of what a report costs the thread that logs, which is not interrupted for each of them either.
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
from app_client.fallback import Fallback, Letter
from app_client.message import Origin, compose, envelope
from app_client.report import Report

for _module in ("email.generator", "encodings.ascii", "encodings.idna"):
    # What the thread needs is loaded before there is one: a fork in the midst of its import would leave the child half
    # a module, for good. The standard library itself imports these only when they are first used.
    importlib.import_module(_module)

PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before each further try; a relay that restarts is back within the first few."""
_REST = 0.1  # seconds between two rounds of mails
_AWAY = 10.0  # seconds after which a relay is away for long
_HURRY = 0.25  # the longest pause while somebody waits for the backlog to drain
_DEFERRALS = 30  # a mail answered 4xx so often is given up: it must not hold up all others for ever
_PARTING = 1.0  # seconds that `close` grants the thread for its QUIT
_IN_A_ROW = 1.0  # seconds at most between a flush and a close that share one limit


class Sender:
    """The sending half of a handler, for one process."""

    def __init__(
        self,
        *,
        backlog: Backlog,
        connection: Connection,
        origin: Origin,
        idle_timeout: float,
        fallback: Fallback | None = None,
    ) -> None:
        self._backlog = backlog
        self._connection = connection
        self._origin = origin
        self._fallback = fallback
        self._stored = False  # the fallback folder may hold mails to be sent
        self._idle_timeout = idle_timeout
        self._thread: threading.Thread | None = None
        # Re-entrant: a signal handler may log in the middle of `post`, in the same thread.
        self._turn = threading.Condition(threading.RLock())
        self._closed = False
        self._round = 0  # how many entries are settled when the round of mails is over
        self._failures = 0  # tries in vain since something was last settled
        self._failing_since = 0.0  # monotonic time of the first of them
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
        """Count one more of an error that waits to be sent anyway, or has no room; False when a report is needed."""
        with self._turn:
            if self._backlog.fold(kind):
                return True
            if self._backlog.is_full:
                self._backlog.drop()
                return self._ensure_thread()
            return False

    def post(self, report: Report) -> None:
        """Queue a report, or count it as dropped; never waits for the relay."""
        with self._turn:
            self._closed = False
            is_first = self._backlog.is_empty
            self._backlog.add(report)
            self._ensure_thread()
            if is_first:  # else the thread is awake, or wakes when it is due
                self._turn.notify_all()

    def wake(self) -> None:
        """Send what a former process has left in the fallback folder."""
        with self._turn:
            self._ensure_thread()

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
        """Drain within `limit` seconds, store or else drop what is left, end the thread.

        `logging.shutdown` calls flush and close in a row: the limit holds for both together.
        """
        ended, length = self._waited
        drained = self.drain(limit - length if time.monotonic() - ended < _IN_A_ROW else limit)
        if not drained and self._fallback is not None:
            self._store(self._fallback)
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
        self._stored = self._fallback is not None
        while self.is_own_thread():
            self._work(self.is_own_thread)
            self._connection.close()
            with self._turn:
                if self._backlog.is_empty:
                    self._thread = None

    def _work(self, go_on: Callable[[], bool]) -> None:
        """Send what is due until nothing has come for `idle_timeout`, the sender was closed, or `go_on` says no."""
        while self._wait_until_due(go_on):
            with self._turn:
                parcel = self._backlog.take()
            if parcel is not None:
                self._send(parcel)
            if self._fallback is not None and self._stored and (parcel is None or not self._failures):
                self._send_stored(self._fallback)

    def _wait_until_due(self, go_on: Callable[[], bool]) -> bool:
        """True when something is due to be sent, False when it is time to stop."""
        with self._turn:
            idle_until = time.monotonic() + self._idle_timeout
            while go_on():
                now = time.monotonic()
                is_waiting = not self._backlog.is_empty or (self._stored and not self._closed)
                if is_waiting and now >= self._due:
                    if self._backlog.settled >= self._round:
                        self._round = self._backlog.opened
                    return True
                if not is_waiting and (self._closed or now >= idle_until):
                    break
                self._turn.wait((self._due if is_waiting else idle_until) - now)
            return False

    def _send(self, parcel: Parcel) -> None:
        reply = self._try(lambda: self._letter(parcel))
        with self._turn:
            outcome = self._judge(reply)
            if outcome is Outcome.ACCEPTED:
                self._backlog.accept(parcel)
            elif outcome is Outcome.REFUSED:
                self._backlog.refuse(parcel)
            self._set_due(outcome)
            self._turn.notify_all()
        self._remark(outcome, reply)
        if outcome is Outcome.LOST and self._fallback is not None and self._is_time_to_store():
            self._store(self._fallback)

    def _send_stored(self, folder: Fallback) -> None:
        """Send the oldest mail of the folder."""
        stored = folder.claim()
        if stored is None:
            self._stored = False
            return
        reply = self._try(stored.read)
        with self._turn:
            outcome = self._judge(reply)
            if outcome is Outcome.REFUSED:
                self._backlog.drop(stored.count)
            self._set_due(outcome)
        if outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
            folder.remove(stored)
        else:
            folder.release(stored)
        self._remark(outcome, reply)

    def _store(self, folder: Fallback) -> None:
        """Move what waits into the folder, as far as that takes it; the rest stays where it is."""
        while True:
            with self._turn:
                parcel = self._backlog.take()
            if parcel is None:
                return
            try:
                folder.store(
                    self._letter(parcel),
                    created=parcel.report.created,
                    record_id=parcel.record_id,
                    count=parcel.count + parcel.dropped,
                )
            except (OSError, ValueError) as trouble:
                self._say("the fallback folder does not take it", str(trouble))
                return
            with self._turn:
                self._backlog.accept(parcel)
                self._stored = True
                self._turn.notify_all()

    def _is_time_to_store(self) -> bool:
        return time.monotonic() - self._failing_since >= _AWAY or self._backlog.is_crowded

    def _letter(self, parcel: Parcel) -> Letter:
        sender, recipients = envelope(parcel.report)
        return Letter(sender=sender, recipients=recipients, content=compose(parcel, self._origin))

    def _try(self, write: Callable[[], Letter]) -> Reply:
        try:
            letter = write()
            return self._connection.send(letter.sender, letter.recipients, letter.content)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the thread must go on
            self._connection.break_off()
            lasting = isinstance(trouble, ValueError)  # what is wrong with the mail will be wrong with it next time
            return Reply(outcome=Outcome.REFUSED if lasting else Outcome.DEFERRED, detail=type(trouble).__name__)

    def _judge(self, reply: Reply) -> Outcome:
        """What the reply means for the mail: one that is deferred too often is refused."""
        self._deferrals += reply.outcome is Outcome.DEFERRED
        return Outcome.REFUSED if self._deferrals >= _DEFERRALS else reply.outcome

    def _set_due(self, outcome: Outcome) -> None:
        """When to go on: at once within a round, after a rest between two, after a pause when it was in vain."""
        now = time.monotonic()
        if outcome in (Outcome.LOST, Outcome.DEFERRED):
            self._failing_since = self._failing_since if self._failures else now
            self._failures += 1
            self._due = now + self._pause()
            return
        self._stored = self._stored or (self._failures > 0 and self._fallback is not None)
        self._failures = self._deferrals = 0
        is_over = self._backlog.settled >= self._round and now >= self._hurry_until and not self._stored
        self._due = now + _REST if is_over else 0.0

    def _remark(self, outcome: Outcome, reply: Reply) -> None:
        """Outside the turn: stderr may block, and `post` must not."""
        remarks = {Outcome.ACCEPTED: "", Outcome.REFUSED: "a mail was refused and is dropped"}
        if not self._closed:
            self._say(remarks.get(outcome, "not possible at the moment, trying on"), reply.detail)

    def _pause(self) -> float:
        pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
        return min(pause, _HURRY) if time.monotonic() < self._hurry_until else pause

    def _say(self, remark: str, detail: str) -> None:
        """One line on stderr, as `logging` does for its own troubles; not twice the same in a row."""
        if remark != self._said and remark and logging.raiseExceptions and sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"error mail to {self._connection.access}: {remark} ({detail})\n")
        self._said = remark
