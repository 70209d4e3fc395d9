"""Tracebacks of Nim, which have Python's heading."""

from relay.traces import find
from tests.support.printed_traces import outline, read

TEXT = """Traceback (most recent call last)
/srv/shop/src/web.nim(5) web
/srv/shop/src/cart.nim(2) total
/usr/lib/nim/lib/system/fatal.nim(54) sysFatal
Error: unhandled exception: cart 6 is gone [LostError]
"""


def test_frames_and_exception_are_parsed():
    assert outline(TEXT) == [("LostError", ["web", "total"])]
    assert read(TEXT).errors[0].message == "cart 6 is gone"
    assert (read(TEXT).start, read(TEXT).end) == (0, len(TEXT) - 1)


def test_name_of_a_file_is_no_trace():
    assert find("see cart.nim(5)\ncart.nim(5)\n") is None
