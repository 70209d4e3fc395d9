"""Convert values of `relay.model` to rows and JSON, and back (base layer of the ledger).

The JSON is plain ASCII, so that it can hold any text. A field that is missing in stored JSON gets its default: an
earlier release did not have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, update

from relay.ledger.columns import storable
from relay.ledger.schema import groups
from relay.model import Entry, Form, Group, GroupKey, Level, Reason, Report, RouteState, Situation, Timeline

T = TypeVar("T")

CHUNK = 500
"""The largest number of values in one IN (…)."""

_GROUP = tuple(field.name for field in fields(Group))
_UNSTORED = {"app_guessed", "former_app"}
"""Fields of a report that only the ingest step needs."""
_REPORT = tuple(field.name for field in fields(Report) if field.name not in _UNSTORED)
_ENTRY = tuple(field.name for field in fields(Entry))
_ENTRY_KEYS = {"timeline": "course"}
"""Keys in the stored JSON that differ from the name of the field."""
_ENTRY_TIMES = ("since", "until", "first_seen", "last_seen", "seen_before", "episode_since")

GROUP_COLUMNS = tuple(groups.c[name] for name in _GROUP)
"""The columns that `group_of` needs, in its order."""

_SAVE = update(groups).where(groups.c.id == bindparam("row"))


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the values in lists of at most `size`."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


# --- Groups -----------------------------------------------------------------------------------------------------------


def key_of(key: GroupKey) -> bytes:
    """Return 16 bytes for route, app and fingerprint (which contain no NUL after `storable`)."""
    return blake2b("\0".join(map(storable, key)).encode(), digest_size=16).digest()


def group_of(row: Sequence[Any]) -> Group:
    """Return the group in a row of GROUP_COLUMNS."""
    return Group(**dict(zip(_GROUP, row, strict=True)))


def group_values(group: Group) -> dict[str, Any]:
    """Return the values of a group by column."""
    return {name: getattr(group, name) for name in _GROUP}


def save_groups(connection: Connection, changed: Iterable[Group]) -> None:
    """Update existing groups; other columns of their rows stay unchanged."""
    rows = [group_values(group) | {"row": group.id} for group in changed]
    if rows:
        connection.execute(_SAVE, rows)


# --- Routes -----------------------------------------------------------------------------------------------------------


def route_state_of(row: Row[Any] | None) -> RouteState:
    """Return the state in a row of `routes`; the defaults if there is none."""
    if row is None:
        return RouteState()
    return RouteState(last_digest_at=row.last_digest_at, last_news_at=row.last_news_at, news_step=row.news_step)


# --- Reports and entries ----------------------------------------------------------------------------------------------


def report_json(report: Report) -> str:
    """Return the report as JSON, without `app_guessed` and `former_app`, which only the ingest step needs."""
    return _dumped({name: getattr(report, name) for name in _REPORT})


def report_of(text: str) -> Report:
    """Return the report from the JSON of `report_json`."""
    return _report(json.loads(text))


def entry_json(entry: Entry) -> str:
    """Return the entry as JSON, with times in ISO 8601."""
    values = {_ENTRY_KEYS.get(name, name): getattr(entry, name) for name in _ENTRY}
    for name in _ENTRY_TIMES:
        values[name] = values[name] and values[name].isoformat()
    if entry.timeline:
        values["course"] = _timeline_values(entry.timeline)
    if entry.sample:
        values["sample"] = {name: getattr(entry.sample, name) for name in _REPORT}
    return _dumped(values)


def entry_of(text: str) -> Entry:
    """Return the entry from the JSON of `entry_json`."""
    stored = json.loads(text)
    values = {name: stored[key] for name in _ENTRY if (key := _ENTRY_KEYS.get(name, name)) in stored}
    for name in _ENTRY_TIMES:
        values[name] = values[name] and datetime.fromisoformat(values[name])
    values["level"] = Level(values["level"])
    values["reason"] = Reason(values["reason"])
    values["timeline"] = values["timeline"] and _timeline(values["timeline"])
    values["sample"] = values["sample"] and _report(values["sample"])
    return Entry(**values)


def _report(values: Mapping[str, Any]) -> Report:
    known = _known(values, _REPORT)
    situation = known.get("situation")  # samples of earlier releases have none
    known |= {"form": Form(known["form"]), "level": Level(known["level"])}
    known |= {name: tuple((label, value) for label, value in known.get(name, ())) for name in ("request", "names")}
    return Report(**known | {"situation": Situation(situation) if situation else None})


def _timeline_values(timeline: Timeline) -> dict[str, Any]:
    return {"since": timeline.since.isoformat(), "step": timeline.step.total_seconds(), "counts": timeline.counts}


def _timeline(values: Mapping[str, Any]) -> Timeline:
    return Timeline(
        since=datetime.fromisoformat(values["since"]),
        step=timedelta(seconds=values["step"]),
        counts=tuple(values["counts"]),
    )


def _known(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


_dumped = json.JSONEncoder(separators=(",", ":")).encode
