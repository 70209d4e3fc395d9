"""Exceptions that one module raises and another catches.

Expected outcomes (a refused recipient, a parked mail) are values in `model`. An exception stops the current work.
Each text says what to do about it. It never contains a secret or the content of a mail.

    RelayError
    ├── ConfigError          the configuration cannot be used
    ├── TemplateError        a mail template does not compile or does not render
    ├── InUse                another process holds this data directory
    ├── Interrupted          the relay is being stopped
    ├── NoSuchError          no error has the ID that a command names
    ├── CannotMerge          errors cannot be merged or taken apart as asked
    ├── SpoolError           the spool cannot do what was asked
    │   └── SpoolFull        no room for another record
    └── LedgerError          the ledger cannot do what was asked
        ├── LedgerBusy       locked or out of reach for now: try again
        ├── LedgerDamaged    cannot be read: `relay repair`
        ├── LedgerTooNew     written by a later release
        ├── CursorMismatch   the spool and the ledger disagree on how far mails were ingested
        └── LeaseLost        another worker has taken over
"""

from __future__ import annotations


class RelayError(Exception):
    """Base class of the relay's exceptions; an administrator may see the text."""


class ConfigError(RelayError):
    """The configuration cannot be used; `problems` has one sentence for each problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TemplateError(RelayError):
    """A template does not compile or render; names its file and, where known, the line."""


class InUse(RelayError):
    """Another process holds the data directory in this role."""


class Interrupted(RelayError):
    """The relay is stopping, and the current work was not done."""


class NoSuchError(RelayError):
    """No error has the ID that a command names."""


class CannotMerge(RelayError):
    """Errors cannot be merged or taken apart as asked; the text says why."""


class SpoolError(RelayError):
    """The spool cannot do what was asked."""


class SpoolFull(SpoolError):
    """There is no room for another record."""


class LedgerError(RelayError):
    """The ledger cannot do what was asked."""


class LedgerBusy(LedgerError):
    """The ledger is locked or out of reach for now; the same call may succeed later."""


class LedgerDamaged(LedgerError):
    """The ledger's file cannot be read, or not all of it."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a later release of the relay."""


class CursorMismatch(LedgerError):
    """The spool and the ledger disagree on how far mails were ingested."""


class LeaseLost(LedgerError):
    """Another worker has taken the lease over; nothing may be written."""
