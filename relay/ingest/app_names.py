"""Bound the number of app names that are guessed from subjects (parse → ingest).

A subject that holds a value would make an app of each value. So a sender has at most `MAX_GUESSED_NAMES` names that are
only a subject. Mails with a further one are shown under the sender's name. Names in a header, a rule, brackets or From
are not bounded.

Guarantee: the answer depends on the ledger alone, so it is the same for all workers and after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from relay.ledger import Ledger
from relay.model import Report
from relay.parse.report import app_of_sender

MAX_GUESSED_NAMES = 8
_ASK_AGAIN_AFTER = timedelta(hours=1)
MAX_REMEMBERED = 10_000
"""Names whose answer is remembered."""


class AppNames:
    """Gives each report the name of its app."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._answers: dict[tuple[str, str], tuple[bool, datetime]] = {}

    def learn(self, reports: Iterable[Report], now: datetime) -> None:
        """Ask the ledger about the guessed names of a batch. Raises LedgerBusy, LedgerError."""
        pairs = dict.fromkeys(_pair(report) for report in reports if report.app_guessed and not report.own)
        unknown = [pair for pair in pairs if not self._is_known(pair, now)]
        if not unknown:
            return
        if len(self._answers) + len(unknown) > MAX_REMEMBERED:
            self._answers.clear()
            unknown = list(pairs)
        admitted = self._ledger.admit_app_names(unknown, now, most=MAX_GUESSED_NAMES)
        self._answers.update((pair, (pair in admitted, now)) for pair in unknown)

    def named(self, report: Report) -> Report:
        """Return `report` under the name of its sender if its guessed name is one too many. Call `learn` before."""
        if not report.app_guessed:
            return report
        admitted, _ = self._answers.get(_pair(report), (True, None))
        if admitted:
            return report
        return replace(report, app=app_of_sender(report.sender), former_app=report.former_app or report.app)

    def _is_known(self, pair: tuple[str, str], now: datetime) -> bool:
        answer = self._answers.get(pair)
        return answer is not None and timedelta() <= now - answer[1] < _ASK_AGAIN_AFTER


def _pair(report: Report) -> tuple[str, str]:
    return app_of_sender(report.sender), report.app
