"""Every failure that one module raises and another is expected to catch.

Expected outcomes (a refused recipient, a mail that is parked) are values in `model`;
what stands here stops the work at hand. Each text says what to do about it and never
holds a secret or a mail's content.

    RelayError
    ├── ConfigError          the configuration cannot be used
    ├── TemplateError        a mail template does not compile or does not render
    ├── InUse                another process holds this data directory
    ├── Interrupted          the relay is being stopped
    ├── SpoolError           the spool cannot do what was asked
    │   └── SpoolFull        no room for another record
    └── LedgerError          the ledger cannot do what was asked
        ├── LedgerBusy       locked or out of reach for now: try again
        ├── LedgerDamaged    cannot be read: `relay repair`
        ├── LedgerTooNew     written by a later release
        ├── CursorMismatch   the spool and the ledger disagree on how far sorting went
        └── LeaseLost        another worker has taken over
"""

from __future__ import annotations


class RelayError(Exception):
    """Any failure of the relay's own; its text is fit to be shown to an administrator."""


class ConfigError(RelayError):
    """The configuration cannot be used; `problems` has one sentence for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TemplateError(RelayError):
    """A template does not compile or render; names its file and, where known, the line."""


class InUse(RelayError):
    """Another process holds the data directory in this role."""


class Interrupted(RelayError):
    """The relay is being stopped, and the work at hand was left undone."""


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
    """The spool and the ledger disagree on how far sorting went."""


class LeaseLost(LedgerError):
    """Another worker has taken the lease over; what was about to be written must not be."""
