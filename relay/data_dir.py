"""The layout of the data directory: every file and folder name in it (settings → service, steps, commands).

The packages of the spool, the mailbox and the ledger define what is inside of them. Nothing is created here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPOOL, QUARANTINE, MAILBOX, LEDGER = "spool", "parked", "mailbox", "ledger.db"
FOLDERS = (SPOOL, QUARANTINE, MAILBOX)
"""The folders that hold state. A backup contains them and the ledger, and nothing else."""
UNFINISHED = ".relay-*-*"
"""The pattern of the working folders of `relay backup`, `restore` and `repair`. A killed command leaves its folder."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """The paths under one data directory."""

    root: Path

    @property
    def spool(self) -> Path:
        """The folder of the spool's segments."""
        return self.root / SPOOL

    @property
    def quarantine(self) -> Path:
        """The folder of raw mails that could not be processed ("parked")."""
        return self.root / QUARANTINE

    @property
    def mailbox(self) -> Path:
        """The Maildir that takes digests while no upstream is set."""
        return self.root / MAILBOX

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger, where `storage.ledger` names no other."""
        return self.root / LEDGER

    @property
    def receiver_counters(self) -> Path:
        """The counters that the receiver publishes for the worker's metrics."""
        return self.root / "receiver.json"

    @property
    def worker_name(self) -> Path:
        """The name under which the worker claims leases."""
        return self.root / "worker.name"

    @property
    def housekeeping_clock(self) -> Path:
        """The times by which a clock that jumped is recognised after a restart."""
        return self.root / "housekeeping.json"

    @property
    def wakeup(self) -> Path:
        """The FIFO through which the receiver wakes the worker."""
        return self.root / "wakeup"

    @property
    def tokens(self) -> Path:
        """The folder of the upstream's access and refresh tokens. A backup does not contain it."""
        return self.root / "oauth2"

    def lock(self, role: str) -> Path:
        """The lock file of `role`: supervisor, receiver or worker."""
        return self.root / f"{role}.lock"


def working_prefix(command: str) -> str:
    """The prefix of the folder that `command` works in; `UNFINISHED` matches it."""
    return f".relay-{command}-"
