"""Backtraces of Crystal."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

TEXT = """Unhandled exception: cart 5 is gone (Shop::Lost)
  from src/cart.cr:7:7 in 'total'
  from src/web.cr:14:1 in '__crystal_main'
  from /usr/lib/crystal/main.cr:115:5 in 'main_user_code'
  from /lib/x86_64-linux-gnu/libc.so.6 in '__libc_start_main'
  from ???
Caused by: Index out of bounds (IndexError)
  from /usr/lib/crystal/indexable.cr:73:20 in '[]'
  from src/cart.cr:5:7 in 'price'

"""


def test_exception_and_its_cause_are_parsed():
    assert outline(TEXT) == [("IndexError", ["price"]), ("Shop::Lost", ["total"])]
    assert [error.message for error in read(TEXT).errors] == ["Index out of bounds", "cart 5 is gone"]


@pytest.mark.parametrize("text", ["Mail\n  from Ada in 'Oslo'\n", "a\n  from the shop\n  from the baker\n"])
def test_prose_is_no_trace(text):
    trace = find(text)

    assert trace is None or trace.language != "Crystal"
