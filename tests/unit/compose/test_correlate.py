"""One failure that was logged in two places, and look-alikes that were not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.compose.correlate import correlate
from relay.compose.entries import with_echoes
from relay.model import Entry, Level, Reason, Report
from relay.parse.report import parse_text
from relay.redact import redact
from tests.support.correlated_errors import (
    CLOSED,
    IN_FLASK,
    IN_STOCK,
    LOOK_ALIKES,
    ONE_FAILURE,
    PSYCOPG,
    STOCK,
    logged,
    trace,
    twins,
    with_trace,
)
from tests.support.digests import report
from tests.support.grouping import Scored

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def told(*entries: Entry) -> dict[int, list[int]]:
    """The entries by group, each with the groups of its echoes."""
    found = with_echoes(correlate(entries))
    return {each.group_id: sorted(echo.group_id for echo in echoes) for each, echoes in found}


@pytest.mark.parametrize("samples", ONE_FAILURE.values(), ids=ONE_FAILURE)
def test_one_failure_is_one_entry_and_the_other_place_its_echo(samples):
    head, echo = samples

    assert told(logged(1, sample=head), logged(2, sample=echo)) == {1: [2]}
    assert told(logged(2, sample=echo), logged(1, sample=head)) == {1: [2]}


def test_three_places_on_one_way_are_one_entry():
    deep = with_trace(trace("shop/stock.py:reserve", raised=STOCK))

    entries = [logged(1, sample=deep), logged(2, sample=with_trace(IN_STOCK)), logged(3, sample=with_trace(IN_FLASK))]

    assert told(*entries) == {3: [1, 2]}


def test_some_of_the_last_may_still_be_on_their_way():
    head, echo = ONE_FAILURE["caught in the app, raised again, logged by the framework"]

    assert told(logged(1, 50, sample=head), logged(2, 49, sample=echo)) == {1: [2]}


# --- Look-alikes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_strangers_stay_apart(entries):
    assert told(*entries) == {each.group_id: [] for each in entries}


def test_of_the_errors_of_many_programs_no_two_are_tied_if_all_of_them_come_at_once_in_one_app():
    """The worst case: nothing but their texts tells them apart."""
    firsts = {mail["label"]: mail for mail in reversed(Scored("own.jsonl").mails)}
    reports = [redact(parse_text(mail["subject"], mail["text"])) for mail in firsts.values()]
    entries = [
        replace(logged(number), sample=replace(each, app="one", environment=""))
        for number, each in enumerate(reports, 1)
    ]

    assert told(*entries) == {each.group_id: [] for each in entries}


def test_twins_are_told_as_one_when_nothing_is_changed():
    """The table above would prove nothing otherwise."""
    assert told(*twins()) == {1: [2]}


def test_what_fits_two_strangers_equally_is_told_by_itself():
    """A library's log of a failure that two pages had, each as often: nobody can say whose it is."""
    pool = with_trace(trace("@sqlalchemy/pool/base.py:reset", raised=CLOSED), logger="sqlalchemy.pool")
    pages = [
        with_trace(trace(f"shop/web.py:{name}", PSYCOPG, raised=CLOSED), logger="shop") for name in ("cart", "search")
    ]

    assert told(logged(1, sample=pages[0]), logged(2, sample=pages[1]), logged(3, sample=pool)) == {1: [], 2: [], 3: []}
    assert told(logged(1, sample=pages[0]), logged(2, 99, sample=pages[1]), logged(3, sample=pool)) == {1: [3], 2: []}


def test_what_ended_together_is_one_closing_total():
    over: dict[str, Any] = {"reason": Reason.ENDED, "occurrences": 0, "mails": 0}
    head, echo = twins(**over)

    assert told(replace(head, **over), echo) == {1: [2]}
    assert told(replace(head, **over), replace(echo, episode_occurrences=90)) == {1: [], 2: []}


def test_the_worst_level_leads():
    head, echo = twins(level=Level.CRITICAL)

    assert told(head, echo) == {2: [1]}


def test_a_follow_up_looks_anew():
    """What was told as an echo in one digest may stand by itself in the next."""
    head, echo = twins()

    assert told(replace(echo, echo_of=1)) == {2: []}
    assert told(head, replace(echo, echo_of=77)) == {1: [2]}


# --- Whatever comes ---------------------------------------------------------------------------------------------------

SAMPLES = [sample for pair in ONE_FAILURE.values() for sample in pair]
MANY = [each.sample for entries in LOOK_ALIKES.values() for each in entries if each.sample]


@st.composite
def digests(draw: st.DrawFn) -> list[Entry]:
    """Errors of a few kinds of samples and counts."""
    samples = draw(st.lists(st.sampled_from([report(**each) for each in SAMPLES] + MANY), min_size=1, max_size=8))
    counts = draw(st.lists(st.sampled_from([1, 2, 50, 51]), min_size=len(samples), max_size=len(samples)))
    return [
        replace(logged(number, count), sample=sample)
        for number, (sample, count) in enumerate(zip(samples, counts, strict=True), 1)
    ]


@given(digests(), st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(entries: list[Entry], chance: random.Random):
    mixed = chance.sample(entries, len(entries))

    assert told(*entries) == told(*mixed)


@given(digests())
def test_every_entry_is_told_once_as_it_was(entries: list[Entry]):
    found = correlate(entries)
    shown = [each for head, echoes in with_echoes(found) for each in (head, *echoes)]

    assert [replace(each, echo_of=None) for each in found] == entries
    assert sorted(each.group_id for each in shown) == [each.group_id for each in entries]
    heads = {head.group_id for head, _ in with_echoes(found)}
    assert {each.echo_of for each in found} - {None} <= heads


@given(st.lists(st.text(max_size=60), min_size=2, max_size=4))
def test_any_text_is_looked_at_without_harm(texts: list[str]):
    entries = [
        replace(logged(number), sample=Report(form="plain", subject=text, sender="", app="", message=text, trace=text))  # type: ignore[arg-type]
        for number, text in enumerate(texts, 1)
    ]

    assert [replace(each, echo_of=None) for each in correlate(entries)] == entries
