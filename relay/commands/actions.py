"""Commands: what a person asks for, as values. `handle.carry_out` carries them out; CLI and pages only build them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands say: who asks for it, why, and when."""

    author: str
    reason: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute(Command):
    """Do not report an error before `until`, or before it exceeds `above` occurrences an hour. One is not None."""

    error: int
    until: datetime | None = None
    above: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmute(Command):
    """Report an error again."""

    error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Command):
    """Make several errors one, at least two. The first one is the face; `name` is the new title, "" to keep its own."""

    errors: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerge(Command):
    """Take an error out of the one that it was merged into. If it is the face: take all parts out.

    What is taken out is never merged again by learning.
    """

    error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Command):
    """Make several errors of one, by a field of its future mails (`model.split_field`)."""

    error: int
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsplit(Command):
    """Undo a split: future mails are one error again. What the parts have counted stays with them."""

    error: int
