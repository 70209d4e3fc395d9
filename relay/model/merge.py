"""A merged error: several groups that are one error, and what each of them has contributed to its counts.

The *face* is the group whose life cycle counts: it is reported, muted and listed. Every other group of the merged error
is a *part*: it keeps its key, its id, its samples and its counts over time, and is never reported by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relay.model.group import Group

LEARNED = "learned"
"""The author of a merge that the relay made by itself. Any other author is a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a part has contributed to the counts of its face: all that is needed to take it out again.

    The share of the face itself has its times and no counts: its counts are those that no part has.
    """

    first_seen: datetime
    last_seen: datetime
    mails: int = 0
    occurrences: int = 0
    pending_mails: int = 0
    pending_occurrences: int = 0
    pending_since: datetime | None = None
    muted_mails: int = 0
    muted_occurrences: int = 0
    episode_occurrences: int = 0
    episode_muted: int = 0
    reported_at: datetime | None = None
    """The face's `reported_at` when the pending counts were written. If the face has another one now, they were
    reported since, and count 0."""
    muted_since: datetime | None = None
    """The same for the muted counts: the face's `muted_since` when they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedBy:
    """Who merged a group into another one, when and why."""

    author: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A group of a merged error: the face, or a part. A group that is not merged is a member of its own error."""

    group: Group
    share: Share | None = None
    """None for a group that is not merged."""
    into: int | None = None
    """The id of the group that it was merged into: the face, or a part that was the face then. None for the face."""
    by: MergedBy | None = None
    """None for the face."""
    title_before: str = ""
    """The title that the group had before an administrator gave a name to its merged error; "" without a name."""

    @property
    def is_face(self) -> bool:
        """Whether this group's life cycle is that of the whole error."""
        return self.group.is_face
