"""Backoff of the sending thread: when the next attempt is due, and when a mail is given up.

The next attempt is due at once, after a short rest, or, after a failure, after a pause that grows with each failure.
Pure state without threads and mails: the time is an argument, and `Sender` calls it under its lock.
"""

from app_client.delivery.connection import Outcome

PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before each further attempt. A relay that restarts is back within the first few."""
REST = 0.1
"""Seconds between two rounds of mails."""
AWAY = 10.0
"""Seconds of failures after which mails move to the fallback folder."""
_MAX_DRAIN_PAUSE = 0.25  # seconds; the longest pause while a caller waits for the queue to drain
_MAX_DEFERRALS = 30  # 4xx replies until a mail is given up, so that it does not block all others for ever


class Backoff:
    """The state of the attempts. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.due = 0.0
        """Time of the next attempt."""
        self.failures = 0
        """Failed attempts since a mail was last settled (accepted or refused)."""
        self._failing_since = 0.0
        self._deferrals = 0  # failed attempts with a 4xx reply
        self._drain_until = 0.0

    def start_drain(self, until: float) -> None:
        """A caller waits until `until`: the next attempt is due at once, and pauses are short until then."""
        self._drain_until = max(self._drain_until, until)
        self.due = 0.0

    def is_draining(self, now: float) -> bool:
        """Return True while a caller waits for the queue to drain."""
        return now < self._drain_until

    def is_away(self, now: float) -> bool:
        """Return True if all attempts of the last `AWAY` seconds have failed."""
        return self.failures > 0 and now - self._failing_since >= AWAY

    def limit_deferrals(self, outcome: Outcome) -> Outcome:
        """Return the outcome, but REFUSED for a mail that has been deferred too often."""
        self._deferrals += outcome is Outcome.DEFERRED
        return Outcome.REFUSED if self._deferrals >= _MAX_DEFERRALS else outcome

    def settled(self, now: float, *, rest: bool) -> None:
        """A mail is settled: the next attempt is due at once, or after a rest if `rest` is set and no caller waits."""
        self.failures = self._deferrals = 0
        self.due = now + REST if rest and not self.is_draining(now) else 0.0

    def failed(self, now: float) -> None:
        """An attempt has failed: pause, longer with each consecutive failure."""
        self._failing_since = self._failing_since if self.failures else now
        self.failures += 1
        pause = PAUSES[min(self.failures, len(PAUSES)) - 1]
        self.due = now + (min(pause, _MAX_DRAIN_PAUSE) if self.is_draining(now) else pause)
