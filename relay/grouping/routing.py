"""Choose the route of a report: the first route whose conditions all match (fingerprint → rules → routing → ledger).

Pure. Conditions are shell globs that ignore case (`fnmatch`). `pattern` is matched against the title of the error and
against the first line of the message.
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

    def matches(self, report: Report, title: str, first_line: str) -> bool:
        return (
            report.level >= self.level
            and _matches(self.app, report.app)
            and _matches(self.logger, report.logger)
            and _matches(self.environment, report.environment)
            and _matches(self.situation, report.situation or "")
            and (_matches(self.pattern, title) or _matches(self.pattern, first_line))
        )


class Router:
    """The routes in their order, compiled once. The last one must match every report."""

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
        """Return the name of the first route that matches `report`; `title` is the title of its error."""
        first_line = report.message.lstrip("\n").partition("\n")[0]
        matching = (rule.name for rule in self._rules if rule.matches(report, title, first_line))
        return next(matching, self._rules[-1].name)


def _glob(text: str) -> re.Pattern[str] | None:
    """Compile a glob; None for `*`, which matches everything."""
    return None if text == "*" else re.compile(fnmatch.translate(text), re.IGNORECASE)


def _matches(glob: re.Pattern[str] | None, text: str) -> bool:
    return glob is None or glob.match(text) is not None
