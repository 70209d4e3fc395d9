"""The background thread that sends a process's reports to the relay; the only place of the client that waits.

`post` queues a report and returns at once. The thread starts with the first report and ends after `idle_timeout`
without one, when it also closes the connection. While the relay is unavailable it retries with growing pauses. With a
fallback folder, waiting mails move there after a long failure, and are sent from there when the relay is back. Near its
exit, an interpreter may start no more threads; then `drain` does the work of the thread in the thread of its caller.

The thread rests briefly between two rounds of mails. Equal errors are counted meanwhile: this costs the logging thread
a hundredth of a new report, and the sending thread does not interrupt it for each error.
"""

import importlib
import threading
import time
from collections.abc import Callable

from app_client.capture.report import Report
from app_client.delivery.backoff import Backoff
from app_client.delivery.connection import Outcome, Reply
from app_client.delivery.courier import Courier
from app_client.delivery.fallback import Fallback
from app_client.delivery.forking import forks_later
from app_client.delivery.queue import QueuedMail, ReportQueue

for _module in ("ast", "email.generator", "encodings.ascii", "encodings.idna", "tokenize", "unicodedata"):
    # The standard library imports these modules on first use, which would be in the thread. A fork during such an
    # import would leave the child with a half-imported module for ever, so they are imported before the thread starts.
    importlib.import_module(_module)

_QUIT_TIMEOUT = 1.0  # seconds that `close` waits for the thread to send QUIT
_LOADING_TIMEOUT = 1.0  # seconds to deliver an error where no thread may be started
_PAUSE_BETWEEN_TRACES = 0.001  # seconds between formatting two tracebacks, so that other threads can run
_FLUSH_TO_CLOSE = 1.0  # seconds; a close this soon after a flush shares its time limit


class Sender:
    """Sends the reports of one handler in one process. All public methods are thread-safe."""

    def __init__(
        self,
        *,
        queue: ReportQueue,
        courier: Courier,
        idle_timeout: float,
        fallback: Fallback | None = None,
    ) -> None:
        self._queue = queue
        self._courier = courier
        self._fallback = fallback
        self._has_stored = False  # the fallback folder may contain mails to send
        self._idle_timeout = idle_timeout
        self._thread: threading.Thread | None = None
        # Re-entrant: a signal handler may log in the middle of `post`, in the same thread.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._round_end = 0  # number of settled entries at which the current round of mails is over
        self._backoff = Backoff()
        self._last_timeout = (0.0, 0.0)  # end and duration, in seconds, of the last drain that timed out

    @property
    def pending(self) -> int:
        """Number of errors that wait for the relay's 250."""
        return self._queue.pending

    @property
    def dropped(self) -> int:
        """Number of dropped errors that no accepted mail has reported yet."""
        return self._queue.dropped

    def is_own_thread(self) -> bool:
        """Return True in the sending thread, whose own records must not be mailed."""
        thread = self._thread
        return thread is not None and thread.ident == threading.get_ident()

    def count_repeat(self, kind: int) -> bool:
        """Count one more error of a queued kind, or drop it if the queue is full; False if a report is needed."""
        with self._lock:  # the lock of the condition, at a fraction of the cost
            if self._queue.count_repeat(kind):
                return True
            if self._queue.is_full:
                self._queue.drop()
                return self._ensure_thread()
            return False

    def post(self, report: Report) -> None:
        """Queue a report, or count it as dropped. Waits for the relay only if `forks_later`."""
        with self._changed:
            self._closed = False
            is_first = self._queue.is_empty
            self._queue.add(report)
            is_threaded = self._ensure_thread()
            if is_first:  # otherwise the thread is awake, or wakes when the next attempt is due
                self._changed.notify_all()
        if not is_threaded and forks_later():  # no request waits here: the server is loading the app
            self.drain(_LOADING_TIMEOUT)
            self._courier.connection.close()

    def wake(self) -> None:
        """Start the thread, which sends the mails that an earlier process has left in the fallback folder."""
        with self._changed:
            self._ensure_thread()

    def drop(self) -> None:
        """Count an error whose record could not be formatted as a report."""
        with self._changed:
            self._queue.drop()

    def drain(self, limit: float) -> bool:
        """Wait until all reports posted before are settled, at most `limit` seconds; False on timeout."""
        started = time.monotonic()
        deadline = started + limit
        with self._changed:
            target = self._queue.opened
            self._backoff.start_drain(deadline)
            threaded = self._queue.settled >= target or self._ensure_thread()
            self._changed.notify_all()
            while threaded and self._queue.settled < target and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        if not threaded:
            self._work(lambda: self._queue.settled < target and time.monotonic() < deadline)
        if self._queue.settled >= target:
            return True
        self._last_timeout = (time.monotonic(), time.monotonic() - started)
        return False

    def close(self, limit: float) -> None:
        """Drain within `limit` seconds, store the rest in the fallback folder or drop it, and end the thread.

        `logging.shutdown` calls flush and then close: the limit applies to both together.
        """
        ended, length = self._last_timeout
        drained = self.drain(limit - length if time.monotonic() - ended < _FLUSH_TO_CLOSE else limit)
        if not drained and self._fallback is not None:
            self._store(self._fallback)
        with self._changed:
            self._closed = True
            lost = self._queue.drop_all()
            self._changed.notify_all()
            thread = self._thread
        if lost:
            self._courier.report_problem("closed before the relay accepted the last errors; dropped", str(lost))
        if thread is None:
            self._courier.connection.close()
        elif drained and not self.is_own_thread():
            thread.join(_QUIT_TIMEOUT)

    def release_after_fork(self) -> None:
        """Release the parent's connection in a forked child, without taking a lock that a thread may have held."""
        self._courier.connection.release_after_fork()

    def _ensure_thread(self) -> bool:
        """Start the thread unless it runs; False if no thread may be started (before a fork, or near the exit)."""
        if self._thread is not None and self._thread.is_alive():
            return True
        if forks_later():
            return False
        try:
            self._thread = threading.Thread(target=self._run, name="error-mail", daemon=True)
            self._thread.start()
        except RuntimeError:  # the limit of threads is reached, or the interpreter is about to end
            self._thread = None
        return self._thread is not None

    def _run(self) -> None:
        self._has_stored = self._fallback is not None
        while self.is_own_thread():
            self._work(self.is_own_thread)
            self._courier.connection.close()
            with self._changed:
                if self._queue.is_empty:
                    self._thread = None

    def _work(self, may_continue: Callable[[], bool]) -> None:
        """Send mails until none came for `idle_timeout`, the sender was closed, or `may_continue` returns False."""
        while self._wait_until_due(may_continue):
            with self._changed:
                queued = self._queue.take()
            if queued is not None:
                self._send(queued)
            if self._fallback is not None and self._has_stored and (queued is None or not self._backoff.failures):
                self._send_stored(self._fallback)

    def _wait_until_due(self, may_continue: Callable[[], bool]) -> bool:
        """Wait; returns True when an attempt is due, False when the work is over."""
        with self._changed:
            idle_until = time.monotonic() + self._idle_timeout
            while may_continue():
                now = time.monotonic()
                is_waiting = not self._queue.is_empty or (self._has_stored and not self._closed)
                if is_waiting and now >= self._backoff.due:
                    if self._queue.settled >= self._round_end:
                        self._round_end = self._queue.opened
                    return True
                if not is_waiting and (self._closed or now >= idle_until):
                    break
                self._changed.wait((self._backoff.due if is_waiting else idle_until) - now)
            return False

    def _send(self, queued: QueuedMail) -> None:
        reply = self._courier.deliver(lambda: self._courier.mail_of(queued))
        with self._changed:
            outcome = self._backoff.limit_deferrals(reply.outcome)
            if outcome is Outcome.ACCEPTED:
                self._queue.accept(queued)
            elif outcome is Outcome.REFUSED:
                self._queue.refuse(queued)
            self._set_due(outcome)
            self._changed.notify_all()
        self._report_outcome(outcome, reply)
        if outcome is Outcome.LOST and self._fallback is not None and self._is_time_to_store():
            self._store(self._fallback)
        elif outcome is Outcome.LOST:
            self._write_waiting_traces()

    def _send_stored(self, folder: Fallback) -> None:
        """Send the oldest mail in the fallback folder."""
        stored = folder.claim()
        if stored is None:
            self._has_stored = False
            return
        reply = self._courier.deliver(stored.read)
        with self._changed:
            outcome = self._backoff.limit_deferrals(reply.outcome)
            if outcome is Outcome.REFUSED:
                self._queue.drop(stored.count)
            self._set_due(outcome)
        if outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
            folder.remove(stored)
        else:
            folder.release(stored)
        self._report_outcome(outcome, reply)

    def _store(self, folder: Fallback) -> None:
        """Move the queued mails into the folder. If it cannot store one, that mail and the rest stay in memory."""
        while True:
            with self._changed:
                queued = self._queue.take()
            if queued is None:
                return
            try:
                folder.store(
                    self._courier.mail_of(queued),
                    created=queued.report.created,
                    record_id=queued.record_id,
                    count=queued.count + queued.dropped,
                )
            except (OSError, ValueError) as error:
                self._courier.report_problem("the fallback folder cannot store the mail", str(error))
                return
            with self._changed:
                self._queue.accept(queued)
                self._has_stored = True
                self._changed.notify_all()

    def _is_time_to_store(self) -> bool:
        return self._backoff.is_away(time.monotonic()) or self._queue.is_half_full

    def _write_waiting_traces(self) -> None:
        """Format the tracebacks of waiting reports now: the source may change before the relay is back."""
        with self._changed:
            traces = [report.trace for report in self._queue.waiting() if report.trace is not None]
        for trace in traces:
            if not trace.is_formatted and not self._backoff.is_draining(time.monotonic()):
                trace.text()
                time.sleep(_PAUSE_BETWEEN_TRACES)

    def _set_due(self, outcome: Outcome) -> None:
        """Schedule the next attempt: at once within a round, after a rest between rounds, after a pause on failure."""
        now = time.monotonic()
        if outcome in (Outcome.LOST, Outcome.DEFERRED):
            self._backoff.failed(now)
            return
        self._has_stored = self._has_stored or (self._backoff.failures > 0 and self._fallback is not None)
        self._backoff.settled(now, rest=self._queue.settled >= self._round_end and not self._has_stored)

    def _report_outcome(self, outcome: Outcome, reply: Reply) -> None:
        """Report a failure on stderr. Called without the lock: stderr may block, and `post` must not."""
        problems = {Outcome.ACCEPTED: "", Outcome.REFUSED: "the relay refused a mail, which is dropped"}
        if not self._closed:
            self._courier.report_problem(
                problems.get(outcome, "cannot deliver at the moment, will retry"), reply.detail
            )
