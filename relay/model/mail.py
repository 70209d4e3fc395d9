"""One mail on its way from the receiver to the ledger: envelope, spool record, parsed report and fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

MAX_COUNT = 1_000_000
"""The most occurrences one mail may stand for; a larger number in a mail is treated as 1."""

CUT_MARKER = b"\r\n[... error-mail-relay: %d bytes left out ...]\r\n"
"""Stands between the two ends of a mail of which only the ends were kept (`CUT_MARKER % number_of_bytes_left_out`)."""


class Level(IntEnum):
    """Severity, with the numbers of the `logging` module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Data from the SMTP session. Recipients are a hint and never decide who gets mail."""

    sender: str
    recipients: tuple[str, ...]
    peer: str


class Retained(StrEnum):
    """How much of a mail the spool holds."""

    WHOLE = "whole"
    """All of it."""
    ENDS = "ends"
    """Its first and last part with a marker between them."""
    COUNT = "count"
    """Only the count: there was no room for more."""


class IncomingMail(NamedTuple):
    """One mail on its way into the spool, with the part of its content that is kept."""

    received_at: datetime
    envelope: Envelope
    retained: Retained
    content: bytes
    size: int
    """Bytes of the mail as sent, also if less is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail in the spool, from `position` to `end`, where the next begins; positions are never reused."""

    position: int
    end: int
    received_at: datetime
    envelope: Envelope
    retained: Retained
    content: bytes
    size: int
    """Bytes of the mail as sent, also if less is kept."""


class Form(StrEnum):
    """The mail layout that `parse` recognized."""

    DOCUMENTED = "documented"
    """The mail format of Flask's guide: `Message type:`, `Location:` and so on."""
    DEFAULT = "default"
    """A handler without a formatter: the bare message, then the traceback."""
    DJANGO = "django"
    """Django's AdminEmailHandler."""
    CLIENT = "client"
    """A mail of our own client handler, recognized by its headers; the text has the documented format."""
    PLAIN = "plain"
    """Any other text."""


class Situation(StrEnum):
    """Why an unchanged app fails: the seven situations of Flask's guide on logging application errors."""

    CLIENT_GONE = "client gone"
    DATABASE_OVERLOADED = "database overloaded"
    FILE_SYSTEM_FULL = "file system full"
    DISK_BROKEN = "disk broken"
    BACKEND_OVERLOADED = "backend overloaded"
    LIBRARY_BUG = "bug in a library"
    NETWORK_DOWN = "network down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One parsed error mail. `parse` bounds every text; the only control characters in it are newline and tab."""

    form: Form
    subject: str
    sender: str
    """The From address in lower case; "" if there is none."""
    app: str
    """The name under which the app's errors are shown, e.g. `YourApplication Failed`."""
    app_guessed: bool = False
    """True if `app` is only a whole subject: neither a rule nor the mail names the app."""
    former_app: str = ""
    """The app's name under version 1 of the fingerprint; "" for the same one."""
    level: Level = Level.ERROR
    logger: str = ""
    location: str = ""
    """`path:line` as mailed."""
    module: str = ""
    function: str = ""
    time: str = ""
    """The time of the error as the app wrote it."""
    message: str = ""
    """The log message without the traceback."""
    trace: str = ""
    """The traceback as mailed, "" if there is none."""
    environment: str = ""
    host: str = ""
    release: str = ""
    process: str = ""
    """The process id, and the process name if it has its own."""
    thread: str = ""
    request: tuple[tuple[str, str], ...] = ()
    """Known facts about the request in which the error occurred: labels from a fixed set, and values."""
    template: str = ""
    """The message without the variable parts that the app marked; "" if the message is all there is."""
    app_package: str = ""
    """The installed package that the app says it is; "" if it does not say so."""
    count: int = 1
    """Occurrences this mail stands for, 1..MAX_COUNT."""
    record_id: str = ""
    """The client's id of this mail (32 hex digits), the same on each retry; "" from other senders."""
    dropped: int = 0
    """Records that the client says it dropped before this one."""
    size: int = 0
    cut: bool = False
    """True if the spool kept only the ends of the mail."""
    own: bool = False
    """True if this is a mail of the relay itself that came back, or a bounce of or an automatic reply to one: counted,
    never reported."""
    headline: str = ""
    """The line of the message that names the error; "" for its first line."""
    names: tuple[tuple[str, str], ...] = ()
    """What else identifies an error without a stack trace: labels and values, such as the service or the subject."""
    reason: str = ""
    """Why message and trace are taken for the error, in plain words."""
    text: str = ""
    """The whole text of the mail, if message and trace are only a part of it; else ""."""
    situation: Situation | None = None
    """The likely situation, as a hint; None if there is no sign of one."""
    situation_reason: str = ""
    """The evidence for it, e.g. `OperationalError: database is locked`; "" without a situation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which error a report is about: equal `key`s (under one `version`) mean the same error."""

    version: int
    key: str
    title: str
    """A short name for people, e.g. `ZeroDivisionError in checkout`; one line, at most 120 characters."""
    steps: tuple[str, ...] = ()
    """How the key was made, in plain words, for `relay explain`."""
