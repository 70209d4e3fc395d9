"""The page at each level of detail: its counts add up, and each level is shorter than the one before."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.compose.outline import details, page
from relay.model import Level, Reason
from tests.support.any_digest import any_digest, digests
from tests.support.digests import Limits, digest, entry

UTC_ZONE = ZoneInfo("UTC")


@any_digest
@given(digests, st.integers(0, 40))
def test_counts_add_up_at_any_level_of_detail(digest, step):
    levels = list(details(Limits(max_size=20_000), len(digest.entries)))

    laid_out = page(digest, levels[min(step, len(levels) - 1)], UTC_ZONE)

    shown = [item.id for item in laid_out.full + laid_out.lines]
    assert laid_out.folded.errors == len(digest.entries) - len(shown)
    assert laid_out.total.occurrences == digest.occurrences
    rest = sorted(e.group_id for e in digest.entries)
    for group in shown:
        rest.remove(group)
    assert laid_out.folded.errors == len(rest)
    if laid_out.folded.errors == 0:
        assert (laid_out.folded.occurrences, laid_out.folded.mails) == (0, 0)


def test_each_level_of_detail_shows_no_more_than_the_one_before():
    levels = list(details(Limits(), 300))

    for longer, shorter in pairwise(levels):
        assert shorter.full <= longer.full
        assert shorter.trace_lines <= longer.trace_lines
        assert shorter.notes <= longer.notes
    assert (levels[-1].full, levels[-1].lines, levels[-1].notes) == (0, 0, 0)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason.NEW, "occurred that had not been reported before"),
        (Reason.BACK, "is back after a long quiet period"),
        (Reason.SPIKE, "occurs much more often than last reported"),
        (Reason.AGAIN, "that had ended occurs again"),
        (Reason.ONGOING, "is ongoing and its next report was due; reports become rarer the longer it lasts"),
        (Reason.ENDED, "has ended, and this is its closing total"),
    ],
)
def test_reason_for_the_mail_follows_the_state_of_the_error_at_every_level(reason, sentence):
    """A CRITICAL error that goes on has not just occurred."""
    why = {
        level: laid_out(entry(reason, level=level, rate_before=1.0)).why_now for level in (Level.ERROR, Level.CRITICAL)
    }

    assert why == {Level.ERROR: f"an error {sentence}", Level.CRITICAL: f"a CRITICAL error {sentence}"}


def laid_out(*entries):
    return page(digest(*entries), next(iter(details(Limits(), len(entries)))), UTC_ZONE)
