"""What a rule of the administrator's can do to a fingerprint."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What becomes of the mails that a rule matches."""

    JOIN = "join"
    """All of them are one error."""
    SPLIT = "split"
    """One fingerprint becomes several, by a field of the report."""
    IGNORE = "ignore"
    """They are counted as ignored and never told."""


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
