"""Life cycle of one error: when it is due and for which reason it is reported (ingest → schedule → digest; pure).

    open_group, arrive   mails came in (`split_off`: mails of a part of a known error)
    due, reason          when the group is due by itself, and why it would be reported now
    mark_reported        a digest that contains the group was enqueued

An error is FRESH until its first report. Then it is OPEN: it is reported again with growing gaps while it goes on. It
is ENDED once it has been quiet for `ended_after` and its closing total was reported. Mails after that begin a new
episode. The episode is `again` and continues at the step of the last one, or, after `back_after` of quiet, it is
`back` and the group is FRESH once more.

    FRESH ──new, back──► OPEN ──ongoing, spike──► OPEN ──ended──► ENDED ──again──► OPEN
      ▲                                                             │
      └───────────────── seen again after back_after ◄──────────────┘

Guarantee: a group with pending occurrences has a `due_at`, and the wait is never longer than the last of the growing
gaps. Only a mute can extend it. No function raises: after the clock was set back, a wait can be too short or too long
by the size of the jump, but no time window is negative.

A new episode begins only if nothing is pending and the end of the previous one was reported (or `back_after` of quiet
has passed). An error that is seen again after a quiet period that no digest reported is ongoing, so that no report has
to be corrected.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from relay.model import Arrival, Fingerprint, Group, Level, Phase, Reason, Timing
from relay.schedule import mutes
from relay.schedule.mutes import is_muted

MINUTE = timedelta(minutes=1)


# --- Arrivals ---------------------------------------------------------------------------------------------------------


def open_group(*, route: str, app: str, fingerprint: Fingerprint, arrival: Arrival) -> Group:
    """Return a group for an unknown error. It counts nothing yet; call `arrive` with the same arrival for that."""
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
    """Return a group for an error that an earlier version of the fingerprint counted as part of `parent`.

    It counts nothing yet, as after `open_group`. It is due when `parent` would have been due, since it is not news.
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
        muted_since=parent.muted_since,
        muted_until=parent.muted_until,
        mute_above=parent.mute_above,
    )


def arrive(group: Group, arrival: Arrival, timing: Timing, *, last_hour: int = 0) -> Group:
    """Return the group with `arrival` counted: its totals, its episode, its peak and a new `due_at`.

    If the group is muted, the mails are counted as muted and not as pending. The caller books them as muted. With
    `last_hour` (see `mutes.end_if_exceeded`) the arrival itself can end the mute.
    """
    group = mutes.end_if_exceeded(group, arrival, last_hour)
    seen = replace(
        group,
        mails=group.mails + arrival.mails,
        occurrences=group.occurrences + arrival.occurrences,
        first_seen=min(group.first_seen, arrival.first),
        last_seen=max(group.last_seen, arrival.last),
    )
    if is_muted(group, arrival.last):
        going_on = _with_muted_episode(group, seen, arrival, timing)
        return reschedule(_with_peak(mutes.count(going_on, arrival), arrival), timing)
    in_episode = _with_episode(group, seen, arrival, timing)
    return reschedule(_with_peak(_with_pending(in_episode, arrival), arrival), timing)


def _with_episode(before: Group, seen: Group, arrival: Arrival, timing: Timing) -> Group:
    """Begin a new episode if the last one is over; otherwise continue it."""
    if before.reported_at is None or before.pending_occurrences:
        return seen
    quiet = arrival.first - before.last_seen
    fresh = replace(
        seen,
        seen_before=before.last_seen,
        episode_since=arrival.first,
        episode_occurrences=0,
        episode_muted=0,
        peak=0,
        minute=None,
        minute_occurrences=0,
    )
    if quiet >= timing.back_after:
        return replace(fresh, phase=Phase.FRESH, step=0, again=False)
    if before.phase is Phase.ENDED and quiet >= timing.ended_after:
        return replace(fresh, again=True)
    # The closing total was reported too early, because the spool lagged behind. The episode continues.
    return replace(seen, phase=Phase.OPEN)


def _with_muted_episode(before: Group, seen: Group, arrival: Arrival, timing: Timing) -> Group:
    """Begin a new episode as `_with_episode` does. One that goes on keeps its phase: no digest reports it now."""
    after = _with_episode(before, seen, arrival, timing)
    return after if after.episode_occurrences == 0 else seen


def _with_pending(group: Group, arrival: Arrival) -> Group:
    """Add the arrival to the pending mails and to the episode."""
    pending = group.pending_occurrences > 0
    return replace(
        group,
        level=max(group.level, arrival.level) if pending else arrival.level,
        pending_mails=group.pending_mails + arrival.mails,
        pending_occurrences=group.pending_occurrences + arrival.occurrences,
        pending_since=min(group.pending_since or arrival.first, arrival.first),
        episode_since=min(group.episode_since or arrival.first, arrival.first),
        episode_occurrences=group.episode_occurrences + arrival.occurrences,
    )


def _with_peak(group: Group, arrival: Arrival) -> Group:
    """Update the running minute and the peak of the episode."""
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
    """Return when the group is due by itself, or None if there is nothing to report.

    The interval of its route and the budgets of the recipients can delay the report further.
    """
    if group.mute_above is not None and group.muted_until is None:
        return None
    at = _pending_due(group, timing) if group.pending_occurrences else _closing_due(group, timing)
    return max(at, group.muted_until) if at and group.muted_until else at


def _pending_due(group: Group, timing: Timing) -> datetime:
    since = group.pending_since or group.last_seen
    soonest = since + timing.first_wait
    if group.phase is Phase.FRESH or group.reported_at is None or group.mute_exceeded:
        return soonest
    if _is_spike(group, timing):
        # Not sooner after its last report: while a rate rises, each report would find a spike since the one before.
        return max(soonest, min(group.reported_at, since) + timing.interval)
    if group.phase is Phase.ENDED and group.level >= Level.CRITICAL:
        # Only the first report of an episode is due at once. Later ones keep the growing gaps, or a storm of CRITICAL
        # errors would flood the inbox.
        return soonest
    # The second bound matters only after the clock was set back, while `reported_at` lies in the future.
    at_step = min(group.reported_at + gap(group, timing), since + timing.steps[-1])
    closing = _closing_due(group, timing)
    return max(soonest, min(at_step, closing) if closing else at_step)


def _closing_due(group: Group, timing: Timing) -> datetime | None:
    """Return when the closing total is due as a mail of its own, or None if the episode is over or was small.

    The end of a mute causes no mail: as long as no digest has reported it, the closing total is only included early.
    """
    if group.muted_since and not group.pending_occurrences:
        return None
    large = group.episode_occurrences >= timing.ended_min
    return group.last_seen + timing.ended_after if group.phase is Phase.OPEN and large else None


def gap(group: Group, timing: Timing) -> timedelta:
    """Return the wait between the last report of the group and the next one."""
    return timing.steps[min(group.step, len(timing.steps) - 1)]


def reason(group: Group, timing: Timing, now: datetime, *, caught_up: bool = True) -> Reason | None:
    """Return why the group is reported if a digest goes out now, or None if the digest leaves it out.

    An error that is fresh or has ended is included early in any digest. An ongoing error waits until it is due.
    While the worker lags behind its spool (`caught_up` False), no error counts as ended: its next mail may be in the
    backlog.
    """
    if is_muted(group, now):
        return None
    if group.pending_occurrences and group.phase is Phase.FRESH:
        return Reason.BACK if group.seen_before else Reason.NEW
    if group.phase is Phase.OPEN and caught_up and _is_quiet(group, timing, now):
        return Reason.ENDED
    if not group.pending_occurrences or not is_due(group, timing, now):
        return None
    if group.mute_exceeded or _is_spike(group, timing):
        return Reason.SPIKE
    return Reason.AGAIN if group.phase is Phase.ENDED else Reason.ONGOING


def rate(occurrences: int, since: datetime, until: datetime) -> float:
    """Return the occurrences per minute between two times. A window shorter than one minute counts as one minute."""
    return occurrences / (max(until - since, MINUTE) / MINUTE)


def _pending_rate(group: Group) -> float:
    return rate(group.pending_occurrences, group.pending_since or group.last_seen, group.last_seen)


def _is_spike(group: Group, timing: Timing) -> bool:
    many = group.pending_occurrences >= timing.spike_min
    return group.phase is Phase.OPEN and many and _pending_rate(group) >= timing.spike_factor * group.reported_rate


def is_due(group: Group, timing: Timing, now: datetime) -> bool:
    """Whether the group is due by itself at `now`."""
    at = due(group, timing)
    return at is not None and at <= now


def _is_quiet(group: Group, timing: Timing, now: datetime) -> bool:
    return now - group.last_seen >= timing.ended_after


# --- Reported, muted, rescheduled -------------------------------------------------------------------------------------


def mark_reported(group: Group, why: Reason, timing: Timing, now: datetime) -> Group:
    """Return the group after a digest that contains it was enqueued: nothing is pending and the next gap is longer.

    If the group has been quiet for `ended_after`, the digest was also its closing total, whatever the reason was.
    """
    first = why in {Reason.NEW, Reason.BACK}
    after = replace(
        group,
        phase=Phase.ENDED if _is_quiet(group, timing, now) else Phase.OPEN,
        step=0 if first else min(group.step + 1, len(timing.steps) - 1),
        reported_at=now,
        reported_rate=_pending_rate(group) if group.pending_occurrences else group.reported_rate,
        pending_mails=0,
        pending_occurrences=0,
        pending_since=None,
    )
    return reschedule(after, timing)


def mute(group: Group, until: datetime | None, timing: Timing, *, now: datetime, above: int | None = None) -> Group:
    """Report nothing of the group before `until`, or before it exceeds `above` occurrences an hour.

    What is pending by then is reported.
    """
    return reschedule(mutes.begin(group, until, above, now), timing)


def unmute(group: Group, timing: Timing, now: datetime) -> Group:
    """End the mute: what is pending is due as if it had never been muted."""
    return reschedule(mutes.end(group, now), timing)


def clamp_future_times(group: Group, timing: Timing, now: datetime) -> Group:
    """Clamp timestamps that lie in the future to `now` (the clock was set back), and compute `due_at` again."""

    def clamped(at: datetime | None) -> datetime | None:
        return min(at, now) if at else None

    return reschedule(
        replace(
            group,
            first_seen=min(group.first_seen, now),
            last_seen=min(group.last_seen, now),
            reported_at=clamped(group.reported_at),
            pending_since=clamped(group.pending_since),
            episode_since=clamped(group.episode_since),
            seen_before=clamped(group.seen_before),
            minute=clamped(group.minute),
            muted_since=clamped(group.muted_since),
        ),
        timing,
    )


def reschedule(group: Group, timing: Timing) -> Group:
    """Compute `due_at` again, since the timing may have changed. Returns the same object if `due_at` stays the same."""
    at = due(group, timing)
    return group if at == group.due_at else replace(group, due_at=at)
