"""Learn free words from the mails of a batch, within its transaction (grouping.learning → ingest → ledger).

Guarantee: the same mails in the same order give the same groups, with any number of workers and before and after a
restart: all that is known of a place is in the ledger, and each mail is learned in the transaction that counts it.

Only errors whose own message was seen seldom are looked at: `evidence.AGAIN` times are enough to know that it comes
again. So a storm of one error costs one query for each batch. An error that was learned to be another one, and has no
group of its own, is counted into the group of that one.

Errors are merged only in a transaction that runs alone (`Ledger.ingesting`). Whether a batch needs that is found out
before, by learning from a copy. The copy can be wrong: another worker has learned something in between, or the batch
has repeated mails, or values that are kept apart. Then the batch is repeated, alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from relay.commands.joining import join_groups, separate
from relay.errors import LedgerBusy
from relay.grouping.components import components
from relay.grouping.evidence import AGAIN
from relay.grouping.learning import HOLE, Joined, Place, Verdict
from relay.grouping.observation import Observation, observe
from relay.ingest.counting import ReportedError
from relay.ledger import IngestTransaction, Ledger
from relay.model import LEARNED, AuditRecord, Fingerprint, GroupKey, MergedBy, Report, Route, Timing

log = structlog.get_logger()

MAX_REMEMBERED = 10_000
"""Errors of which it is remembered that they came often."""
_ASK_AGAIN_AFTER = timedelta(hours=1)
MAX_SHOWN = 3
"""Values that a sentence shows."""


class Sight(NamedTuple):
    """The fingerprint of a report, and what the learner sees of it at that time."""

    fingerprint: Fingerprint
    seen: Observation | None
    skipped: bool
    """Whether it did not look."""


class _Lesson(NamedTuple):
    """One error from which something can be learned."""

    place: bytes
    seen: Observation
    day: int


class _Change(NamedTuple):
    """Groups that became one error, or are several after all."""

    key: GroupKey
    """The group that stays."""
    joined: Joined | None
    """None: what was learned of this group is taken back."""


@dataclass(slots=True)
class Lessons:
    """What can be learned from a batch."""

    by_error: dict[int, _Lesson] = field(default_factory=dict)
    """The lessons by the identity of their error."""
    grouped: Collection[GroupKey] = ()
    """The keys of the batch that have a group."""
    alone: bool = False
    """Whether groups will be merged or taken apart."""


@dataclass(slots=True)
class Learned:
    """What was learned from a batch."""

    errors: Sequence[ReportedError] = ()
    """The errors of the batch, each with the key of the group into which it is counted."""
    changes: list[_Change] = field(default_factory=list)


class Learning:
    """Learns from batches. `routes` say by their name which of them learn."""

    def __init__(self, ledger: Ledger, routes: Iterable[Route]) -> None:
        self._ledger = ledger
        self._often: dict[GroupKey, datetime] = {}
        """Errors that came often, with the time of their last mail."""
        self._often_fingerprints: set[str] = set()
        self._timings: dict[str, Timing] = {route.name: route.timing for route in routes if route.learn}
        self._alone_next = False
        """Whether the last batch was to run alone, and this was not known before."""

    def sight_of(self, report: Report, found: Fingerprint) -> Sight:
        """Return what can be learned from a report. Call it right after its fingerprint was computed: it is cheap then.

        Nothing is computed for an error that comes often, or if no route learns.
        """
        if not self._timings or found.key in self._often_fingerprints:
            return Sight(found, None, skipped=True)
        return Sight(found, observe(report, components(report), found.key), skipped=False)

    def seen(self, key: GroupKey, at: datetime, report: Report, sight: Sight) -> Observation | None:
        """Return what can be learned from an error with this key, received at this time; None for nothing."""
        if key[0] not in self._timings or self._comes_often(key, at):
            return None
        if sight.skipped:  # another error with this fingerprint comes often, in another app or on another route
            return observe(report, components(report), key[2])
        return sight.seen

    def _comes_often(self, key: GroupKey, at: datetime) -> bool:
        """Return whether the ledger said within the last hour of its mails that there is nothing to be learned."""
        known_at = self._often.get(key)
        if known_at is None or not timedelta() <= at - known_at < _ASK_AGAIN_AFTER:
            return False
        self._often[key] = at
        return True

    def prepare(self, errors: Sequence[ReportedError]) -> Lessons:
        """Return what can be learned from the errors of a batch, in their order. Raises LedgerBusy, LedgerError."""
        observed = [(each, each.seen) for each in errors if each.seen]
        if not observed:
            return Lessons()
        known = self._ledger.occurrences_of({error.key for error, _ in observed})
        self._remember({error.key: error.at for error, _ in observed if known.get(error.key, 0) >= AGAIN})
        lessons = Lessons(grouped=known.keys())
        times = Counter[GroupKey]()
        for error, seen in observed:
            times[error.key] += 1
            if known.get(error.key, 0) < AGAIN and times[error.key] <= AGAIN:
                lessons.by_error[id(error)] = _lesson(error, seen)
        lessons.alone = (
            not self._ledger.has_other_writers or self._alone_next or self._merges(lessons.by_error.values())
        )
        self._alone_next = False
        return lessons

    def _remember(self, often: Mapping[GroupKey, datetime]) -> None:
        if len(self._often) + len(often) > MAX_REMEMBERED:
            self._often.clear()
            self._often_fingerprints.clear()
        self._often.update(often)
        self._often_fingerprints.update(key[2] for key in often)

    def _merges(self, lessons: Collection[_Lesson]) -> bool:
        """Return whether groups will be merged or taken apart, as far as can be known before the transaction."""
        times = Counter(lesson.place for lesson in lessons)
        states = self._ledger.learned_places(times)
        places = _Places(states)
        teaching = [each for each in lessons if each.place in states or times[each.place] > 1]
        verdicts = [places.learn(each) for each in teaching]
        return any(verdict.joined or verdict.taken_back for verdict in verdicts)

    def learn(self, tx: IngestTransaction, lessons: Lessons, errors: Iterable[ReportedError], now: datetime) -> Learned:
        """Learn from those errors of a batch that count. Call it before `tx.groups`, then `apply` after the counting.

        Raises LedgerBusy if groups are to be merged or taken apart and this was not known before.
        """
        counted = list(errors)
        learned = Learned(errors=counted)
        if not lessons.by_error:
            return learned
        places = _Places(tx.learned.lock({lesson.place for lesson in lessons.by_error.values()}, now))
        own: dict[GroupKey, Fingerprint | None] = dict.fromkeys(lessons.grouped)
        """The keys that have a group of their own, or get one with this batch: then with its fingerprint."""
        elsewhere: dict[GroupKey, GroupKey] = {}
        """The keys that are counted into the group of another one."""
        for number, error in enumerate(counted):
            lesson = lessons.by_error.get(id(error))
            if lesson is None:  # the same message came often enough in this batch
                counted[number] = _moved(error, elsewhere[error.key], own) if error.key in elsewhere else error
                continue
            elsewhere.pop(error.key, None)
            verdict = places.learn(lesson)
            if verdict.joined or verdict.key != error.key[2]:
                verdict = self._unless_kept_apart(tx, places, lesson, error.key, verdict)
            if verdict.taken_back:
                learned.changes.append(_Change(_with(error.key, verdict.taken_back), None))
            elif verdict.joined:
                learned.changes.append(_Change(_with(error.key, verdict.key), verdict.joined))
            elif verdict.key != error.key[2] and error.key not in own:
                elsewhere[error.key] = _with(error.key, verdict.key)
                counted[number] = _moved(error, elsewhere[error.key], own)
                continue
            own.setdefault(error.key, error.fingerprint)
        if learned.changes and not lessons.alone:
            self._alone_next = True
            raise LedgerBusy("errors of this batch are to be merged, which was not foreseen; the batch is repeated")
        tx.learned.save(places.changed(), now)
        return learned

    def apply(self, tx: IngestTransaction, learned: Learned, now: datetime) -> None:
        """Merge the groups that are one error, and take those apart that are several, after they were counted."""
        for change in learned.changes:
            keys = [change.key, *(_with(change.key, key) for key in (change.joined.keys if change.joined else ()))]
            ids = tx.learned.ids_of(keys)
            if change.key not in ids:
                continue
            if change.joined:
                self._join(tx, change.key, [ids[key] for key in keys if key in ids], change.joined, now)
            else:
                self._take_back(tx, change.key, ids[change.key], now)

    def _unless_kept_apart(
        self, tx: IngestTransaction, places: _Places, lesson: _Lesson, key: GroupKey, verdict: Verdict
    ) -> Verdict:
        """Leave out the errors that an administrator keeps apart. For that of a template, take the template back."""
        face = _with(key, verdict.key)
        joined = verdict.joined.keys if verdict.joined else ()
        kept = places.kept_apart(tx, {key, face, *(_with(key, each) for each in joined)})
        if face in kept:
            places.keep_apart(lesson.place, verdict.key)
            return Verdict(key[2])
        if kept and verdict.joined:
            left = tuple(each for each in joined if _with(key, each) not in kept)
            return verdict._replace(joined=verdict.joined._replace(keys=left))
        return Verdict(key[2]) if kept else verdict

    def _join(self, tx: IngestTransaction, key: GroupKey, ids: Sequence[int], joined: Joined, now: datetime) -> None:
        face, *parts = ids
        by = MergedBy(author=LEARNED, reason=evidence_of(joined), at=now)
        merged = [part for part in parts if join_groups(tx.merges, face, part, by, self._timings[key[0]], now=now)]
        if merged:
            summary = f"{len(merged) + 1} entries turned out to be one error: {varying_words(joined)}"
            details = {"merged": merged, "template": template_text(joined), "values": joined.values}
            self._record(tx, [face, *merged], key[0], _Note("learn", summary, by.reason, details), now)

    def _take_back(self, tx: IngestTransaction, key: GroupKey, face: int, now: datetime) -> None:
        found = tx.merges.members(face)
        parts = [each.group.id for each in found if each.by and each.by.author == LEARNED and each.into == face]
        if parts and found[0].is_face and found[0].group.id == face:
            separate(tx.merges, face, parts, self._timings[key[0]], now=now)
            summary = f"{len(parts) + 1} errors that were merged by learning are several after all"
            reason = "their values come again and again"
            self._record(tx, [face, *parts], key[0], _Note("unlearn", summary, reason, {"parts": parts}), now)

    @staticmethod
    def _record(tx: IngestTransaction, groups: Sequence[int], route: str, note: _Note, now: datetime) -> None:
        """Add an entry about these groups, the face first, to the audit log."""
        entry = AuditRecord(at=now, author=LEARNED, group_id=groups[0], route=route, **note._asdict())
        tx.record(entry, groups)


class _Note(NamedTuple):
    """What the audit log says of a change."""

    action: str
    summary: str
    reason: str
    details: Mapping[str, object]


class _Places:
    """The places of a batch."""

    def __init__(self, states: Mapping[bytes, str]) -> None:
        self._states = states
        self._places: dict[bytes, Place] = {}
        self._keeps_any: bool | None = None

    def learn(self, lesson: _Lesson) -> Verdict:
        place = self._places.get(lesson.place)
        if place is None:
            place = self._places[lesson.place] = _loaded(self._states.get(lesson.place, ""), lesson.day)
        return place.learn(lesson.seen, lesson.day)

    def kept_apart(self, tx: IngestTransaction, keys: Collection[GroupKey]) -> set[GroupKey]:
        """Return those of the keys whose groups an administrator keeps apart."""
        if self._keeps_any is None:
            self._keeps_any = tx.learned.keeps_any_apart()
        return tx.learned.kept_apart(keys) if self._keeps_any else set()

    def keep_apart(self, place: bytes, key: str) -> None:
        self._places[place].keep_apart(key)

    def changed(self) -> dict[bytes, tuple[str, bool]]:
        return {number: (place.dump(), place.is_pinned) for number, place in self._places.items() if place.changed}


def _loaded(state: str, day: int) -> Place:
    """The place with this state; an empty one if the state cannot be read. Then its words are learned again."""
    try:
        return Place.load(state, day) if state else Place()
    except (ValueError, TypeError, AttributeError):
        log.warning("what was learned at one place cannot be read and is forgotten")
        return Place()


def _lesson(error: ReportedError, seen: Observation) -> _Lesson:
    route, app, _ = error.key
    texts = (route, app, str(error.fingerprint.version))
    place = hashlib.blake2b("\x1f".join(texts).encode("utf-8", "replace") + seen.place, digest_size=16).digest()
    return _Lesson(place, seen, int(error.at.timestamp()) // 86_400)


def _moved(error: ReportedError, key: GroupKey, own: Mapping[GroupKey, Fingerprint | None]) -> ReportedError:
    """The error as one of the group with this key."""
    found = own.get(key) or replace(error.fingerprint, key=key[2])
    return replace(error, key=key, fingerprint=found)


def _with(key: GroupKey, fingerprint: str) -> GroupKey:
    return (key[0], key[1], fingerprint)


# --- Sentences --------------------------------------------------------------------------------------------------------


def varying_words(joined: Joined) -> str:
    """Return what varies: `word 4 of the message varies (anna, bob, chen)`."""
    columns: dict[tuple[str, ...], list[int]] = {}
    for place, values in zip(_holes(joined), joined.values, strict=True):
        columns.setdefault(values, []).append(place + 1)
    parts = []
    for values, places in columns.items():
        shown = ", ".join(values[:MAX_SHOWN]) + (", …" if len(values) > MAX_SHOWN else "")
        numbers = " and ".join(map(str, places))
        parts.append(f"{'word' if len(places) == 1 else 'words'} {numbers} of the message ({shown})")
    verb = "varies" if sum(map(len, columns.values())) == 1 else "vary"
    one = parts[0].replace(" (", f" {verb} (", 1)
    return one if len(parts) == 1 else f"{' and '.join(parts)} {verb}"


def template_text(joined: Joined) -> str:
    """Return the message with `…` in place of the words that vary."""
    return " ".join(word if word != HOLE else "…" for word in joined.words)


def evidence_of(joined: Joined) -> str:
    """Return why they are one error, in a sentence."""
    if joined.at_line:
        return "one line of the code reported all of these values"
    return "one place reported many values, most of them once or twice"


def _holes(joined: Joined) -> list[int]:
    return [place for place, word in enumerate(joined.words) if word == HOLE]
