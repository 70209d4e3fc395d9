"""Decides what is told when: the rules of one error's life, as pure functions over `Group` (sort → schedule → digest).

    open_group, arrive   mails came (split_off: for a part of an error that is known)
    due, reason          when its own turn comes, and why it would be told now
    told                 a digest was frozen

An error is FRESH until it is told for the first time. Then it is OPEN and told again in growing gaps while it
goes on, until it has been quiet for `ended_after` and its closing total was told: ENDED. What comes after that is
a new bout: `again` at the step it had, or, after `back_after` of quiet, `back`, which is FRESH once more.

    FRESH ──new, back──► OPEN ──ongoing, spike──► OPEN ──ended──► ENDED ──again──► OPEN
      ▲                                                             │
      └───────────────── seen again after back_after ◄──────────────┘

Guarantee: whatever is pending has a `due_at`, and never one later than the last of the growing gaps; a mute alone
can move it. Every function is total: a clock that was set back leads to waits that are too short or too long by
the jump, never to a negative window and never to an exception.

A bout begins only where nothing is pending and the end of the one before was told (or a day of quiet has passed).
Seen again after a quiet that no digest spoke of, an error is ongoing: what nobody was told need not be taken back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from relay.model import Arrival, Fingerprint, Group, Level, Phase, Reason, Timing

MINUTE = timedelta(minutes=1)


# --- Mails came -------------------------------------------------------------------------------------------------------


def open_group(*, route: str, app: str, fingerprint: Fingerprint, arrival: Arrival) -> Group:
    """A group for an error nobody has seen. It counts nothing yet: `arrive(open_group(…), arrival, timing)` does."""
    return Group(
        route=route,
        app=app,
        fingerprint=fingerprint.key,
        version=fingerprint.version,
        title=fingerprint.title,
        level=arrival.level,
        first_seen=arrival.first,
        last_seen=arrival.first,
        episode_since=arrival.first,
    )


def split_off(parent: Group, *, fingerprint: Fingerprint, arrival: Arrival) -> Group:
    """A group for an error that was counted as part of `parent` up to now, by an earlier version of the fingerprint.

    It counts nothing yet, as after `open_group`, but is told when `parent` would have been: it is no news by itself.
    """
    opened = open_group(route=parent.route, app=parent.app, fingerprint=fingerprint, arrival=arrival)
    return replace(
        opened,
        last_seen=parent.last_seen,
        phase=parent.phase,
        step=parent.step,
        reported_at=parent.reported_at,
        reported_rate=parent.reported_rate,
        seen_before=parent.seen_before,
        again=parent.again,
        muted_until=parent.muted_until,
    )


def arrive(group: Group, arrival: Arrival, timing: Timing) -> Group:
    """The group after `arrival`: counted, with its bout, its peak and a new `due_at`.

    While it is muted (`is_muted(group, arrival.last)`: the caller books these mails as muted) only the totals grow.
    """
    seen = replace(
        group,
        mails=group.mails + arrival.mails,
        occurrences=group.occurrences + arrival.occurrences,
        first_seen=min(group.first_seen, arrival.first),
        last_seen=max(group.last_seen, arrival.last),
    )
    if is_muted(group, arrival.last):
        return seen
    return scheduled(_peaked(_pended(_bout(group, seen, arrival, timing), arrival), arrival), timing)


def _bout(before: Group, seen: Group, arrival: Arrival, timing: Timing) -> Group:
    """Begin a new bout where the last one is over, else let it go on."""
    if before.reported_at is None or before.pending_mails:
        return seen
    quiet = arrival.first - before.last_seen
    fresh = replace(
        seen,
        seen_before=before.last_seen,
        episode_since=arrival.first,
        episode_occurrences=0,
        peak=0,
        minute=None,
        minute_occurrences=0,
    )
    if quiet >= timing.back_after:
        return replace(fresh, phase=Phase.FRESH, step=0, again=False)
    if before.phase is Phase.ENDED and quiet >= timing.ended_after:
        return replace(fresh, again=True)
    # A closing total told too early (a spool that lagged behind) is taken back: the bout goes on.
    return replace(seen, phase=Phase.OPEN)


def _pended(group: Group, arrival: Arrival) -> Group:
    """Add the arrival to what is pending and to the bout."""
    pending = group.pending_mails > 0
    return replace(
        group,
        level=max(group.level, arrival.level) if pending else arrival.level,
        pending_mails=group.pending_mails + arrival.mails,
        pending_occurrences=group.pending_occurrences + arrival.occurrences,
        pending_since=min(group.pending_since or arrival.first, arrival.first),
        episode_since=min(group.episode_since or arrival.first, arrival.first),
        episode_occurrences=group.episode_occurrences + arrival.occurrences,
    )


def _peaked(group: Group, arrival: Arrival) -> Group:
    """Bring the running minute and the bout's peak up to date."""
    minutes = arrival.minutes or {arrival.last.replace(second=0, microsecond=0): arrival.occurrences}
    minute, running, peak = group.minute, group.minute_occurrences, group.peak
    for at, occurrences in sorted(minutes.items()):
        same = at == minute
        count = running + occurrences if same else occurrences
        peak = max(peak, count)
        if same or minute is None or at > minute:
            minute, running = at, count
    return replace(group, minute=minute, minute_occurrences=running, peak=peak)


# --- When and why -----------------------------------------------------------------------------------------------------


def due(group: Group, timing: Timing) -> datetime | None:
    """When the group's own turn comes (pauses of the route and budgets apart); None where nothing is to be told."""
    at = _pending_due(group, timing) if group.pending_mails else _closing_due(group, timing)
    return max(at, group.muted_until) if at and group.muted_until else at


def _pending_due(group: Group, timing: Timing) -> datetime:
    since = group.pending_since or group.last_seen
    soonest = since + timing.first_wait
    if group.phase is Phase.FRESH or group.reported_at is None or _is_spike(group, timing):
        return soonest
    if group.phase is Phase.ENDED and group.level >= Level.CRITICAL:
        return (
            soonest  # the first news of each bout; within one, its gaps grow as any other's, or a storm is unreadable
        )
    # The second bound speaks only where the clock was set back and `reported_at` is still to come.
    at_step = min(group.reported_at + gap(group, timing), since + timing.steps[-1])
    closing = _closing_due(group, timing)
    return max(soonest, min(at_step, closing) if closing else at_step)


def _closing_due(group: Group, timing: Timing) -> datetime | None:
    """When the closing total is worth a mail of its own; None for a bout that is over or was small."""
    large = group.episode_occurrences >= timing.ended_min
    return group.last_seen + timing.ended_after if group.phase is Phase.OPEN and large else None


def gap(group: Group, timing: Timing) -> timedelta:
    """How long after its last report the group is told again."""
    return timing.steps[min(group.step, len(timing.steps) - 1)]


def reason(group: Group, timing: Timing, now: datetime, *, caught_up: bool = True) -> Reason | None:
    """Why the group is told if a digest goes out now; None where it is neither its turn nor fit to ride along.

    What is fresh and what has ended rides along in any digest; an ongoing error waits for its turn. Nothing is said
    to have ended while the worker lags behind its spool (`caught_up` False): its next mail may be waiting there.
    """
    if is_muted(group, now):
        return None
    if group.pending_mails and group.phase is Phase.FRESH:
        return Reason.BACK if group.seen_before else Reason.NEW
    if group.phase is Phase.OPEN and caught_up and _is_quiet(group, timing, now):
        return Reason.ENDED
    if not group.pending_mails or not is_due(group, timing, now):
        return None
    if group.phase is Phase.ENDED:
        return Reason.AGAIN
    return Reason.SPIKE if _is_spike(group, timing) else Reason.ONGOING


def rate(occurrences: int, since: datetime, until: datetime) -> float:
    """Occurrences a minute between two moments, over at least one minute."""
    return occurrences / (max(until - since, MINUTE) / MINUTE)


def _pending_rate(group: Group) -> float:
    return rate(group.pending_occurrences, group.pending_since or group.last_seen, group.last_seen)


def _is_spike(group: Group, timing: Timing) -> bool:
    many = group.pending_occurrences >= timing.spike_min
    return group.phase is Phase.OPEN and many and _pending_rate(group) >= timing.spike_factor * group.reported_rate


def is_due(group: Group, timing: Timing, now: datetime) -> bool:
    """Whether the group's own turn has come."""
    at = due(group, timing)
    return at is not None and at <= now


def _is_quiet(group: Group, timing: Timing, now: datetime) -> bool:
    return now - group.last_seen >= timing.ended_after


# --- What was told, and what is not to be -----------------------------------------------------------------------------


def mark_reported(group: Group, why: Reason, timing: Timing, now: datetime) -> Group:
    """The group after a digest that tells of it was frozen: nothing pending, the next gap longer.

    Where it has long been quiet its entry was its closing total too, whatever the reason.
    """
    first = why in {Reason.NEW, Reason.BACK}
    after = replace(
        group,
        phase=Phase.ENDED if _is_quiet(group, timing, now) else Phase.OPEN,
        step=0 if first else min(group.step + 1, len(timing.steps) - 1),
        reported_at=now,
        reported_rate=_pending_rate(group) if group.pending_mails else group.reported_rate,
        pending_mails=0,
        pending_occurrences=0,
        pending_since=None,
    )
    return scheduled(after, timing)


def is_muted(group: Group, at: datetime) -> bool:
    """Whether the group is muted at that moment."""
    return group.muted_until is not None and at < group.muted_until


def mute(group: Group, until: datetime, timing: Timing) -> Group:
    """Tell nothing of the group before `until`; what is pending then is told then."""
    return scheduled(replace(group, muted_until=until), timing)


def unmute(group: Group, timing: Timing) -> Group:
    """Let the group have its turn again."""
    return scheduled(replace(group, muted_until=None), timing)


def back_on_schedule(group: Group, timing: Timing, now: datetime) -> Group:
    """The group without moments that are still to come: a clock wrote them that has been set back since."""

    def past(moment: datetime | None) -> datetime | None:
        return min(moment, now) if moment else None

    return scheduled(
        replace(
            group,
            first_seen=min(group.first_seen, now),
            last_seen=min(group.last_seen, now),
            reported_at=past(group.reported_at),
            pending_since=past(group.pending_since),
            episode_since=past(group.episode_since),
            seen_before=past(group.seen_before),
            minute=past(group.minute),
        ),
        timing,
    )


def scheduled(group: Group, timing: Timing) -> Group:
    """The group, its turn worked out anew, as its timings may have changed since; itself where that moves nothing."""
    at = due(group, timing)
    return group if at == group.due_at else replace(group, due_at=at)
