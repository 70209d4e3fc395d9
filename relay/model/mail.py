"""A mail on its way in: what the receiver writes down, what it says, which error it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

MAX_COUNT = 1_000_000
"""The most occurrences one mail may stand for; a claim above it is taken as 1."""

CUT_MARKER = b"\r\n[... error-mail-relay: %d bytes left out ...]\r\n"
"""Stands between the first and the last part of a mail of which only the ends were kept (`CUT_MARKER % left_out`)."""


class Level(IntEnum):
    """How bad it is, with the numbers of the `logging` module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the SMTP dialogue told; recipients are a hint and never decide who gets mail."""

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
    """Nothing but the fact that it came (there was no room for more)."""


class IncomingMail(NamedTuple):
    """One mail on its way into the spool, as far as it is kept."""

    received_at: datetime
    envelope: Envelope
    retained: Retained
    content: bytes
    size: int
    """Bytes of the mail as it was sent, also where less is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail in the spool. `position` is where it begins, `end` where the next one does; neither ever repeats."""

    position: int
    end: int
    received_at: datetime
    envelope: Envelope
    retained: Retained
    content: bytes
    size: int
    """Bytes of the mail as it was sent, also where less is kept."""


class Form(StrEnum):
    """Which layout `parse` recognised."""

    DOCUMENTED = "documented"
    """The mail format of Flask's guide: `Message type:`, `Location:` and so on."""
    DEFAULT = "default"
    """A handler without a formatter: the bare message, then the traceback."""
    DJANGO = "django"
    """Django's AdminEmailHandler."""
    CLIENT = "client"
    """Our own handler's mail (its headers tell; the text is in the documented format)."""
    PLAIN = "plain"
    """Any other text."""


class Situation(StrEnum):
    """Why an app fails though nobody changed it: the seven of Flask's guide on logging application errors."""

    CLIENT_GONE = "client gone"
    DATABASE_OVERLOADED = "database overloaded"
    FILE_SYSTEM_FULL = "file system full"
    DISK_BROKEN = "disk broken"
    BACKEND_OVERLOADED = "backend overloaded"
    LIBRARY_BUG = "bug in a library"
    NETWORK_DOWN = "network down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One error mail, understood. Every text is bounded by `parse`, without control characters but newline and tab."""

    form: Form
    subject: str
    sender: str
    """The From address, lower case; "" where there is none."""
    app: str
    """The name under which the app's errors are shown, e.g. `YourApplication Failed`."""
    level: Level = Level.ERROR
    logger: str = ""
    location: str = ""
    """`path:line` as mailed."""
    module: str = ""
    function: str = ""
    time: str = ""
    """The moment of the error as the app wrote it."""
    message: str = ""
    """The log message without the traceback."""
    trace: str = ""
    """The traceback as mailed, "" where there is none."""
    environment: str = ""
    host: str = ""
    release: str = ""
    process: str = ""
    """Its number, and its name where it has one of its own."""
    thread: str = ""
    request: tuple[tuple[str, str], ...] = ()
    """What is known of the request that it came up in: labels, of a fixed set, and values."""
    template: str = ""
    """The message without words that the app says to be data; "" where the message is all there is."""
    app_package: str = ""
    """The installed package that the app itself says to be; "" where it does not."""
    count: int = 1
    """Occurrences this mail stands for, 1..MAX_COUNT."""
    record_id: str = ""
    """Our client's id of this mail (32 hex digits): the same on each try; "" for other senders."""
    dropped: int = 0
    """Records our client says it had to drop before this one."""
    size: int = 0
    cut: bool = False
    """True where the spool kept only the ends of the mail."""
    own: bool = False
    """True where this is a mail of the relay itself that came back: counted, never digested."""
    situation: Situation | None = None
    """What it looks like: a hint, None where there is no sign of any."""
    situation_reason: str = ""
    """By what it was told, e.g. `OperationalError: database is locked`; "" without a situation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which error a report is about: equal `key`s (under one `version`) mean the same error."""

    version: int
    key: str
    title: str
    """A short name for people, e.g. `ZeroDivisionError in checkout`; one line, at most 120 characters."""
    steps: tuple[str, ...] = ()
    """How the key came about, in plain words, for `relay explain`."""
