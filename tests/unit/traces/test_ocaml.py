"""Backtraces of OCaml."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

TEXT = """Fatal error: exception Shop.Lost("cart 5")
Raised at Stdlib.failwith in file "stdlib.ml", line 29, characters 17-33
Re-raised at Shop.total in file "src/shop.ml" (inlined), line 2, characters 28-49
Called from Dune__exe__Main in file "bin/main.ml", lines 4-6, characters 50-58
"""


def test_frames_and_exception_are_parsed():
    assert outline(TEXT) == [("Shop.Lost", ["Dune__exe__Main", "Shop.total"])]
    assert read(TEXT).errors[0].message == "cart 5"


def test_older_form_without_functions_is_parsed():
    text = 'Fatal error: exception Not_found\nRaised at file "list.ml", line 3, characters 1-2\n'
    text += 'Called from file "cart.ml", line 5, characters 1-2\n'

    assert [frame.place for frame in read(text).errors[0].frames] == ["? (cart.ml)", "? (list.ml)"]


@pytest.mark.parametrize("text", ["Sums\nRaised at the gala: 5\n", "Log\nCalled from Oslo\n"])
def test_prose_is_no_trace(text):
    assert find(text) is None
