"""Carry out a command: change the ledger and record it, in one transaction (cli, web → commands → ledger).

Guarantee: a command is done completely or not at all, and each one that is done is in the audit log. Nobody else
changes anything meanwhile. The result names what others did to the same error within the last hour, so that the second
of two people sees what the first one did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import singledispatch
from typing import Any

from relay.commands.actions import Command, Merge, Mute, Split, Unmerge, Unmute, Unsplit
from relay.commands.joining import join_groups, separate
from relay.compose.notes import active_mute
from relay.config import Settings
from relay.errors import CannotMerge, NoSuchError
from relay.ledger import Ledger, SteeringTransaction
from relay.model import AuditRecord, Group, MergedBy, SplitRule, Timing, split_field
from relay.schedule.group import mute, unmute
from relay.text import one_line

EARLIER_WITHIN = timedelta(hours=1)
"""How far back the result of a command looks for what others did."""
MAX_NAMED = 10
"""Errors that a summary names one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result of a command."""

    group: Group
    """The error after it; the face of a merged one."""
    record: AuditRecord
    earlier: tuple[AuditRecord, ...]
    """What was done to the same errors within the last hour, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a command has changed."""

    group: Group
    touched: tuple[int, ...]
    """The ids of all errors that it is about, as they were before."""
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


def carry_out(ledger: Ledger, settings: Settings, command: Command) -> Done:
    """Carry out one command. Raises NoSuchError, CannotMerge, LedgerBusy, LedgerError."""
    with ledger.steering() as tx:
        change = _carry_out(command, tx, settings)
        earlier = tx.audit_of(change.touched, since=command.at - EARLIER_WITHIN)
        entry = AuditRecord(
            at=command.at,
            author=command.author,
            action=type(command).__name__.lower(),
            group_id=change.group.id,
            route=change.group.route,
            reason=command.reason,
            summary=change.summary,
            details=change.details,
        )
        entry = replace(entry, id=tx.record(entry, change.touched))
    return Done(group=change.group, record=entry, earlier=tuple(earlier))


@singledispatch
def _carry_out(command: Command, _tx: SteeringTransaction, _settings: Settings) -> _Change:
    raise TypeError(f"no handler for {type(command).__name__}")


@_carry_out.register
def _(command: Mute, tx: SteeringTransaction, settings: Settings) -> _Change:
    face = face_in(tx, command.error)
    group = mute(face, command.until, timing_of(settings, face.route), now=command.at, above=command.above)
    tx.save([group])
    limit = active_mute(group, command.at, settings.time.tz)
    until = command.until.isoformat() if command.until else None
    details = {"until": until, "above": command.above}
    return _Change(group=group, touched=(group.id,), summary=f"muted {named(group)} {limit}", details=details)


@_carry_out.register
def _(command: Unmute, tx: SteeringTransaction, settings: Settings) -> _Change:
    face = face_in(tx, command.error)
    group = unmute(face, timing_of(settings, face.route), command.at)
    tx.save([group])
    return _Change(group=group, touched=(group.id,), summary=f"ended the mute of {named(group)}")


@_carry_out.register
def _(command: Merge, tx: SteeringTransaction, settings: Settings) -> _Change:
    faces = list({face.id: face for face in (face_in(tx, number) for number in command.errors)}.values())
    if len(faces) < 2:
        raise CannotMerge(_already_one(tx, faces[0]))
    first, *others = faces
    by = MergedBy(author=command.author, reason=command.reason, at=command.at)
    for other in others:
        join_groups(tx.merges, first.id, other.id, by, timing_of(settings, first.route), now=command.at)
    tx.merges.let_merge([face.id for face in faces])
    if command.name:
        _rename(tx, first.id, command.name)
    group = face_in(tx, first.id)
    details = {"face": first.id, "merged": [face.id for face in others], "name": command.name}
    touched = tuple(face.id for face in faces)
    name = f', named "{one_line(command.name, 120)}"' if command.name else ""
    summary = f"merged {_listed(others)} into {named(first)}{name}"
    return _Change(group=group, touched=touched, summary=summary, details=details)


@_carry_out.register
def _(command: Unmerge, tx: SteeringTransaction, settings: Settings) -> _Change:
    group = face_in(tx, command.error)
    members = tx.merges.members(group.id)
    if len(members) < 2:
        raise CannotMerge(f"error {command.error} is not merged with another one; `relay show` says what is")
    known = {each.group.id for each in members if not each.is_face}
    whole = command.error == group.id
    parts = [each.group.id for each in members if not each.is_face and each.into not in known]
    parts = parts if whole else [command.error]
    old, *gone = separate(tx.merges, group.id, parts, timing_of(settings, group.route), now=command.at)
    tx.merges.keep_apart([*parts, group.id] if whole else parts)
    details = {"face": old.id, "taken_out": [each.id for each in gone]}
    touched = (old.id, *(each.id for each in gone))
    after = old if whole else gone[0]
    return _Change(group=after, touched=touched, summary=f"took {_listed(gone)} out of {named(group)}", details=details)


@_carry_out.register
def _(command: Split, tx: SteeringTransaction, _settings: Settings) -> _Change:
    member = tx.merges.member(command.error)
    if member is None:
        raise NoSuchError(f"there is no error {command.error}; `relay groups` lists them")
    group = member.group
    if group.merged_into is not None:
        raise CannotMerge(f"error {command.error} is merged with others; take it out with `relay unmerge` first")
    before = _split_of(tx, group)
    if before is not None:
        why = f": {before.reason}" if before.reason else ""
        raise CannotMerge(f"error {command.error} is split by {before.field} already, by {before.author}{why}")
    rule = SplitRule(
        route=group.route,
        app=group.app,
        fingerprint=group.fingerprint,
        version=group.version,
        title=group.title,
        field=split_field(command.field),
        group_id=group.id,
        author=command.author,
        reason=command.reason,
        at=command.at,
    )
    tx.add_split(rule)
    summary = f"split {named(group)} by {rule.field}"
    details = {"fingerprint": rule.fingerprint, "version": rule.version, "by": rule.field}
    return _Change(group=group, touched=(group.id,), summary=summary, details=details)


@_carry_out.register
def _(command: Unsplit, tx: SteeringTransaction, _settings: Settings) -> _Change:
    group = face_in(tx, command.error)
    rule = _split_of(tx, group)
    if rule is None:
        raise CannotMerge(f"error {command.error} is not split; `relay rules list` shows which are")
    tx.drop_split(rule)
    summary = f"ended the split of {named(group)} by {rule.field}"
    return _Change(group=group, touched=(group.id,), summary=summary, details={"by": rule.field})


def _split_of(tx: SteeringTransaction, group: Group) -> SplitRule | None:
    """Return the rule that splits this error: its own, or that of the same error on another route."""
    error = (group.app, group.fingerprint)
    rules = tx.splits()
    return next((each for each in rules if each.group_id == group.id or (each.app, each.fingerprint) == error), None)


def _rename(tx: SteeringTransaction, face: int, name: str) -> None:
    member = tx.merges.face(face)
    if member is not None:
        before = member.title_before or member.group.title
        tx.merges.save([replace(member, title_before=before, group=replace(member.group, title=one_line(name, 120)))])


def _already_one(tx: SteeringTransaction, face: Group) -> str:
    by = next((each.by for each in tx.merges.members(face.id) if each.by), None)
    if by is None:
        return "say at least two different errors to merge"
    return f"these are one error already, {face.id}: merged by {by.author}" + (f": {by.reason}" if by.reason else "")


def face_in(tx: SteeringTransaction, error: int) -> Group:
    """Return the error that a group belongs to. Raises NoSuchError."""
    found = tx.merges.face(error)
    if found is None:
        raise NoSuchError(f"there is no error {error}; `relay groups` lists them")
    return found.group


def timing_of(settings: Settings, route: str) -> Timing:
    """Return the timing of a route; `[timing]` if the route is no longer configured."""
    return next((each.timing for each in settings.all_routes if each.name == route), settings.timing)


def named(group: Group) -> str:
    """Return an error as summaries name it: its title and its id."""
    return f"{one_line(group.title, 120)} (ID {group.id})"


def _listed(groups: list[Group]) -> str:
    more = f" and {len(groups) - MAX_NAMED} more" if len(groups) > MAX_NAMED else ""
    return ", ".join(named(group) for group in groups[:MAX_NAMED]) + more
