"""The thread that brings a process's reports to the relay, and the only place where anything waits.

`post` hands over and returns at once. The thread starts with the first report, ends after a while without any (closing
the connection), and keeps trying, with growing pauses, as long as the relay is away. With a fallback folder, what waits
moves there when that takes long, and goes out when the relay is back. An interpreter about to end may no longer start
threads; then `drain` does the same work in its caller's.

The thread rests for a moment between one round of mails and the next. Equal errors are folded meanwhile, at a
hundredth of what a report costs the thread that logs, which is not interrupted for each of them either.
"""

import importlib
import threading
import time
from collections.abc import Callable

from app_client.capture.report import Report
from app_client.delivery.backoff import Pace
from app_client.delivery.connection import Outcome, Reply
from app_client.delivery.courier import Courier
from app_client.delivery.fallback import Fallback
from app_client.delivery.forking import forks_later
from app_client.delivery.queue import Backlog, Parcel

for _module in ("ast", "email.generator", "encodings.ascii", "encodings.idna", "tokenize", "unicodedata"):
    # What the thread needs is loaded before there is one: a fork in the midst of its import would leave the child half
    # a module, for good. The standard library itself imports these only when they are first used.
    importlib.import_module(_module)

_PARTING = 1.0  # seconds that `close` grants the thread for its QUIT
_LOADING = 1.0  # seconds to deliver an error where no thread may be started
_BREATH = 0.001  # seconds between two texts: others want to run as well
_IN_A_ROW = 1.0  # seconds at most between a flush and a close that share one limit


class Sender:
    """The sending half of a handler, for one process."""

    def __init__(
        self,
        *,
        backlog: Backlog,
        courier: Courier,
        idle_timeout: float,
        fallback: Fallback | None = None,
    ) -> None:
        self._backlog = backlog
        self._courier = courier
        self._fallback = fallback
        self._stored = False  # the fallback folder may hold mails to be sent
        self._idle_timeout = idle_timeout
        self._thread: threading.Thread | None = None
        # Re-entrant: a signal handler may log in the middle of `post`, in the same thread.
        self._lock = threading.RLock()
        self._turn = threading.Condition(self._lock)
        self._closed = False
        self._round = 0  # how many entries are settled when the round of mails is over
        self._pace = Pace()
        self._waited = (0.0, 0.0)  # when the last drain in vain ended, and its length

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
        with self._lock:  # what the condition would take, at a fraction of its cost
            if self._backlog.fold(kind):
                return True
            if self._backlog.is_full:
                self._backlog.drop()
                return self._ensure_thread()
            return False

    def post(self, report: Report) -> None:
        """Queue a report, or count it as dropped; waits for the relay only where `forks_later`."""
        with self._turn:
            self._closed = False
            is_first = self._backlog.is_empty
            self._backlog.add(report)
            is_threaded = self._ensure_thread()
            if is_first:  # else the thread is awake, or wakes when it is due
                self._turn.notify_all()
        if not is_threaded and forks_later():  # no request waits here, an app is being loaded
            self.drain(_LOADING)
            self._courier.connection.close()

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
            self._pace.hurry(deadline)
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
            self._courier.say("closed before the relay took the last ones, which are dropped", str(lost))
        if thread is None:
            self._courier.connection.close()
        elif drained and not self.is_own_thread():
            thread.join(_PARTING)

    def forget(self) -> None:
        """In a forked child: let go of what belongs to the parent, touching no lock of its threads."""
        self._courier.connection.forget()

    def _ensure_thread(self) -> bool:
        """Start the thread unless it runs; False when that is not possible (any more, or yet)."""
        if self._thread is not None and self._thread.is_alive():
            return True
        if forks_later():
            return False
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
            self._courier.connection.close()
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
            if self._fallback is not None and self._stored and (parcel is None or not self._pace.failures):
                self._send_stored(self._fallback)

    def _wait_until_due(self, go_on: Callable[[], bool]) -> bool:
        """True when something is due to be sent, False when it is time to stop."""
        with self._turn:
            idle_until = time.monotonic() + self._idle_timeout
            while go_on():
                now = time.monotonic()
                is_waiting = not self._backlog.is_empty or (self._stored and not self._closed)
                if is_waiting and now >= self._pace.due:
                    if self._backlog.settled >= self._round:
                        self._round = self._backlog.opened
                    return True
                if not is_waiting and (self._closed or now >= idle_until):
                    break
                self._turn.wait((self._pace.due if is_waiting else idle_until) - now)
            return False

    def _send(self, parcel: Parcel) -> None:
        reply = self._courier.carry(lambda: self._courier.letter(parcel))
        with self._turn:
            outcome = self._pace.judge(reply.outcome)
            if outcome is Outcome.ACCEPTED:
                self._backlog.accept(parcel)
            elif outcome is Outcome.REFUSED:
                self._backlog.refuse(parcel)
            self._set_due(outcome)
            self._turn.notify_all()
        self._remark(outcome, reply)
        if outcome is Outcome.LOST and self._fallback is not None and self._is_time_to_store():
            self._store(self._fallback)
        elif outcome is Outcome.LOST:
            self._write_ahead()

    def _send_stored(self, folder: Fallback) -> None:
        """Send the oldest mail of the folder."""
        stored = folder.claim()
        if stored is None:
            self._stored = False
            return
        reply = self._courier.carry(stored.read)
        with self._turn:
            outcome = self._pace.judge(reply.outcome)
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
                    self._courier.letter(parcel),
                    created=parcel.report.created,
                    record_id=parcel.record_id,
                    count=parcel.count + parcel.dropped,
                )
            except (OSError, ValueError) as trouble:
                self._courier.say("the fallback folder does not take it", str(trouble))
                return
            with self._turn:
                self._backlog.accept(parcel)
                self._stored = True
                self._turn.notify_all()

    def _is_time_to_store(self) -> bool:
        return self._pace.is_away(time.monotonic()) or self._backlog.is_crowded

    def _write_ahead(self) -> None:
        """Write out the tracebacks that wait: when the relay is back, the source may have changed."""
        with self._turn:
            traces = [report.trace for report in self._backlog.waiting() if report.trace is not None]
        for trace in traces:
            if not trace.is_written and not self._pace.is_hurried(time.monotonic()):
                trace.text()
                time.sleep(_BREATH)

    def _set_due(self, outcome: Outcome) -> None:
        """When to go on: at once within a round, after a rest between two, after a pause when it was in vain."""
        now = time.monotonic()
        if outcome in (Outcome.LOST, Outcome.DEFERRED):
            self._pace.failed(now)
            return
        self._stored = self._stored or (self._pace.failures > 0 and self._fallback is not None)
        self._pace.settled(now, rest=self._backlog.settled >= self._round and not self._stored)

    def _remark(self, outcome: Outcome, reply: Reply) -> None:
        """Outside the turn: stderr may block, and `post` must not."""
        remarks = {Outcome.ACCEPTED: "", Outcome.REFUSED: "a mail was refused and is dropped"}
        if not self._closed:
            self._courier.say(remarks.get(outcome, "not possible at the moment, trying on"), reply.detail)
