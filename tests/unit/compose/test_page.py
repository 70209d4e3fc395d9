"""What stands on a page in each detail: the counts add up, and each step is shorter than the one before."""

from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from relay.compose.page import details, page
from tests.support.any_digest import any_digest, digests
from tests.support.digests import Limits

UTC_ZONE = ZoneInfo("UTC")


@any_digest
@given(digests, st.integers(0, 40))
def test_counts_add_up_in_any_detail(told, step):
    every = list(details(Limits(max_size=20_000), len(told.entries)))

    laid_out = page(told, every[min(step, len(every) - 1)], UTC_ZONE)

    shown = [item.id for item in laid_out.full + laid_out.lines]
    assert laid_out.folded.errors == len(told.entries) - len(shown)
    assert laid_out.total.occurrences == told.occurrences
    rest = sorted(e.group_id for e in told.entries)
    for group in shown:
        rest.remove(group)
    assert laid_out.folded.errors == len(rest)
    if laid_out.folded.errors == 0:
        assert (laid_out.folded.occurrences, laid_out.folded.mails) == (0, 0)


def test_steps_only_ever_shorten():
    every = list(details(Limits(), 300))

    for longer, shorter in pairwise(every):
        assert shorter.full <= longer.full
        assert shorter.trace_lines <= longer.trace_lines
        assert shorter.notes <= longer.notes
    assert (every[-1].full, every[-1].lines, every[-1].notes) == (0, 0, 0)
