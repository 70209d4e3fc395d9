"""Decides which route a report takes: the first whose every condition holds.

Between fingerprint and ledger; pure. A route's texts are shell globs without regard to
case (`fnmatch`); `pattern` is tried on the error's title and on the message's first line.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import NamedTuple

from relay.model import Level, Report, Route


class _Rule(NamedTuple):
    name: str
    level: Level
    app: re.Pattern[str] | None
    logger: re.Pattern[str] | None
    environment: re.Pattern[str] | None
    situation: re.Pattern[str] | None
    pattern: re.Pattern[str] | None

    def takes(self, report: Report, title: str, first_line: str) -> bool:
        return (
            report.level >= self.level
            and _matches(self.app, report.app)
            and _matches(self.logger, report.logger)
            and _matches(self.environment, report.environment)
            and _matches(self.situation, report.situation or "")
            and (_matches(self.pattern, title) or _matches(self.pattern, first_line))
        )


class Router:
    """The routes in their order, compiled once. The last one must take everything."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._rules = [
            _Rule(
                route.name,
                route.level,
                _glob(route.app),
                _glob(route.logger),
                _glob(route.environment),
                _glob(route.situation),
                _glob(route.pattern),
            )
            for route in routes
        ]

    def route(self, report: Report, title: str) -> str:
        """Return the name of the first route that takes this report, whose error is called `title`."""
        first_line = report.message.lstrip("\n").partition("\n")[0]
        takers = (rule.name for rule in self._rules if rule.takes(report, title, first_line))
        return next(takers, self._rules[-1].name)


def _glob(text: str) -> re.Pattern[str] | None:
    """Compile a glob; None where it takes anything."""
    return None if text == "*" else re.compile(fnmatch.translate(text), re.IGNORECASE)


def _matches(glob: re.Pattern[str] | None, text: str) -> bool:
    return glob is None or glob.match(text) is not None
