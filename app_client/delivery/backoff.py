"""When the sending thread goes on: at once, after a rest, or after a pause because the relay did not take a mail.

Knows neither threads nor mails, and is told the time; `Sender` asks it under its lock.
"""

from app_client.delivery.connection import Outcome

PAUSES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds before each further try; a relay that restarts is back within the first few."""
REST = 0.1
"""Seconds between two rounds of mails."""
AWAY = 10.0
"""Seconds after which a relay is away for long."""
_HURRY = 0.25  # the longest pause while somebody waits for the backlog to drain
_DEFERRALS = 30  # a mail answered 4xx so often is given up: it must not hold up all others for ever


class Pace:
    """All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.due = 0.0
        """When the next try may be."""
        self.failures = 0
        """Tries in vain since a mail was last settled."""
        self._failing_since = 0.0
        self._deferrals = 0  # failures that were an answer
        self._hurry_until = 0.0

    def hurry(self, until: float) -> None:
        """Somebody waits: try at once, and with short pauses until then."""
        self._hurry_until = max(self._hurry_until, until)
        self.due = 0.0

    def is_hurried(self, now: float) -> bool:
        """True while somebody waits."""
        return now < self._hurry_until

    def is_away(self, now: float) -> bool:
        """True when the relay has taken nothing for long."""
        return self.failures > 0 and now - self._failing_since >= AWAY

    def judge(self, outcome: Outcome) -> Outcome:
        """What an answer means for the mail: one that is deferred too often is refused."""
        self._deferrals += outcome is Outcome.DEFERRED
        return Outcome.REFUSED if self._deferrals >= _DEFERRALS else outcome

    def settled(self, now: float, *, rest: bool) -> None:
        """A mail is settled: go on at once, or after a rest if the round is over and nobody waits."""
        self.failures = self._deferrals = 0
        self.due = now + REST if rest and not self.is_hurried(now) else 0.0

    def failed(self, now: float) -> None:
        """A try was in vain: pause, the longer the more of them there were."""
        self._failing_since = self._failing_since if self.failures else now
        self.failures += 1
        pause = PAUSES[min(self.failures, len(PAUSES)) - 1]
        self.due = now + (min(pause, _HURRY) if self.is_hurried(now) else pause)
