"""One failure that was logged in two places, and similar errors that are not the same failure."""

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


def correlated(*entries: Entry) -> dict[int, list[int]]:
    """The groups that are shown by themselves, each with the groups of its echoes."""
    found = with_echoes(correlate(entries))
    return {each.group_id: sorted(echo.group_id for echo in echoes) for each, echoes in found}


@pytest.mark.parametrize("samples", ONE_FAILURE.values(), ids=ONE_FAILURE)
def test_one_failure_is_one_entry_and_the_other_place_is_its_echo(samples):
    head, echo = samples

    assert correlated(logged(1, sample=head), logged(2, sample=echo)) == {1: [2]}
    assert correlated(logged(2, sample=echo), logged(1, sample=head)) == {1: [2]}


def test_three_places_on_one_stack_are_one_entry():
    deep = with_trace(trace("shop/stock.py:reserve", raised=STOCK))

    entries = [logged(1, sample=deep), logged(2, sample=with_trace(IN_STOCK)), logged(3, sample=with_trace(IN_FLASK))]

    assert correlated(*entries) == {3: [1, 2]}


def test_counts_may_differ_by_a_mail_that_is_still_on_its_way():
    head, echo = ONE_FAILURE["caught in the app, raised again, logged by the framework"]

    assert correlated(logged(1, 50, sample=head), logged(2, 49, sample=echo)) == {1: [2]}


# --- Similar errors that are not the same failure ---------------------------------------------------------------------


@pytest.mark.parametrize("entries", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_unrelated_errors_stay_apart(entries):
    assert correlated(*entries) == {each.group_id: [] for each in entries}


def test_errors_of_many_programs_stay_apart_even_at_the_same_time_in_one_app():
    """The worst case: only their texts differ."""
    firsts = {mail["label"]: mail for mail in reversed(Scored("own.jsonl").mails)}
    reports = [redact(parse_text(mail["subject"], mail["text"])) for mail in firsts.values()]
    entries = [
        replace(logged(number), sample=replace(each, app="one", environment=""))
        for number, each in enumerate(reports, 1)
    ]

    assert correlated(*entries) == {each.group_id: [] for each in entries}


def test_unchanged_twins_are_one_failure():
    """Otherwise the table LOOK_ALIKES, whose entries are changed twins, would prove nothing."""
    assert correlated(*twins()) == {1: [2]}


def test_error_that_fits_two_others_equally_stays_apart():
    """A library logged an exception that two pages had equally often: it is unknown which page it belongs to."""
    pool = with_trace(trace("@sqlalchemy/pool/base.py:reset", raised=CLOSED), logger="sqlalchemy.pool")
    pages = [
        with_trace(trace(f"shop/web.py:{name}", PSYCOPG, raised=CLOSED), logger="shop") for name in ("cart", "search")
    ]

    assert correlated(logged(1, sample=pages[0]), logged(2, sample=pages[1]), logged(3, sample=pool)) == {
        1: [],
        2: [],
        3: [],
    }
    assert correlated(logged(1, sample=pages[0]), logged(2, 99, sample=pages[1]), logged(3, sample=pool)) == {
        1: [3],
        2: [],
    }


def test_errors_that_ended_together_have_one_closing_total():
    ended: dict[str, Any] = {"reason": Reason.ENDED, "occurrences": 0, "mails": 0}
    head, echo = twins(**ended)

    assert correlated(replace(head, **ended), echo) == {1: [2]}
    assert correlated(replace(head, **ended), replace(echo, episode_occurrences=90)) == {1: [], 2: []}


def test_entry_with_the_worst_level_is_the_head():
    head, echo = twins(level=Level.CRITICAL)

    assert correlated(head, echo) == {2: [1]}


def test_catch_up_digest_correlates_again():
    """An echo in one digest can be an entry by itself in the next one."""
    head, echo = twins()

    assert correlated(replace(echo, echo_of=1)) == {2: []}
    assert correlated(head, replace(echo, echo_of=77)) == {1: [2]}


# --- Generated digests ------------------------------------------------------------------------------------------------

SAMPLES = [sample for pair in ONE_FAILURE.values() for sample in pair]
MANY = [each.sample for entries in LOOK_ALIKES.values() for each in entries if each.sample]


@st.composite
def digests(draw: st.DrawFn) -> list[Entry]:
    """Entries with samples and counts of a few kinds."""
    samples = draw(st.lists(st.sampled_from([report(**each) for each in SAMPLES] + MANY), min_size=1, max_size=8))
    counts = draw(st.lists(st.sampled_from([1, 2, 50, 51]), min_size=len(samples), max_size=len(samples)))
    return [
        replace(logged(number, count), sample=sample)
        for number, (sample, count) in enumerate(zip(samples, counts, strict=True), 1)
    ]


@given(digests(), st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(entries: list[Entry], chance: random.Random):
    mixed = chance.sample(entries, len(entries))

    assert correlated(*entries) == correlated(*mixed)


@given(digests())
def test_every_entry_is_shown_once_and_unchanged(entries: list[Entry]):
    found = correlate(entries)
    shown = [each for head, echoes in with_echoes(found) for each in (head, *echoes)]

    assert [replace(each, echo_of=None) for each in found] == entries
    assert sorted(each.group_id for each in shown) == [each.group_id for each in entries]
    heads = {head.group_id for head, _ in with_echoes(found)}
    assert {each.echo_of for each in found} - {None} <= heads


@given(st.lists(st.text(max_size=60), min_size=2, max_size=4))
def test_any_text_is_compared_without_an_exception(texts: list[str]):
    entries = [
        replace(logged(number), sample=Report(form="plain", subject=text, sender="", app="", message=text, trace=text))  # type: ignore[arg-type]
        for number, text in enumerate(texts, 1)
    ]

    assert [replace(each, echo_of=None) for each in correlate(entries)] == entries
