"""One entry of the audit log: who did what to which error, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One action. `id` is 0 until the ledger has stored it."""

    id: int = 0
    at: datetime
    author: str
    action: str
    """The name of the command, such as `merge`."""
    group_id: int | None
    """The error that it is about; the face if it is a merged one."""
    route: str
    """The route of that error: its next digest reports what changes what mails are one error."""
    reason: str
    """As the author gave it; "" without one."""
    summary: str
    """What was done, in a sentence without author, time and reason."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The values of the command and what it changed, for programs. JSON values only."""
