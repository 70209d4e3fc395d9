"""Errors of R with their calls."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

SCRIPT = """Error in fit_season(sales, year = 2026) :
  only 2 observations
Calls: main -> run_all -> lapply -> FUN -> stats::lm -> fit_season
Execution halted
"""
TRACEBACK = """Error in FUN(X[[i]], ...) : cart 7 is gone
5: stop("cart ", x, " is gone")
4: FUN(X[[i]], ...)
3: lapply(X = X, FUN = FUN, ...)
2: sapply(l,
   price)
1: total(7)
"""
RLANG = """Error in `total()`:
! cart 7 is gone
Backtrace:
     ▆
  1. ├─shop::run(7)
  2. │ └─base::lapply(l, price)
  3. └─shop:::total(7)
Execution halted
"""


@pytest.mark.parametrize(
    ("text", "message", "functions"),
    [
        (SCRIPT, "only 2 observations", ["main", "run_all", "fit_season"]),
        (TRACEBACK, "cart 7 is gone", ["total"]),
        (RLANG, "cart 7 is gone", ["run", "total"]),
        (
            "Fehler in log(-1) : nein\nRuft auf: main -> total\nAusführung angehalten\n",
            "nein",
            ["main", "total"],
        ),
    ],
    ids=["script", "traceback", "rlang", "german"],
)
def test_calls_are_the_frames(text, message, functions):
    assert outline(text) == [("", functions)]
    assert read(text).errors[0].message == message


@pytest.mark.parametrize(
    "text",
    [
        "Error in log(-1) : no\nExecution halted\n",
        "Calls: Ada -> Bob\n",
        "Agenda\n1: open(door)\n2: shut(door)\n",
        "Error in the shop : no bread\n\nCalls to the baker: 3\n",
    ],
)
def test_error_without_calls_and_lists_are_no_traces(text):
    assert find(text) is None
