"""What an administrator's grouping rule does to a fingerprint: join, split or ignore."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What the relay does with the mails that a rule matches."""

    JOIN = "join"
    """Treat all of them as one error."""
    SPLIT = "split"
    """Split one fingerprint into several, by a field of the report."""
    IGNORE = "ignore"
    """Count them as ignored and never report them."""


class SplitBy(StrEnum):
    """The field of a report that a rule splits by."""

    LOGGER = "logger"
    MODULE = "module"
    FUNCTION = "function"
    LOCATION = "location"
    ENVIRONMENT = "environment"
    HOST = "host"
    RELEASE = "release"
    SUBJECT = "subject"
    LEVEL = "level"
