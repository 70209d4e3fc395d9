"""Stack tracebacks of Lua and OpenResty."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read


def test_functions_are_named_in_the_same_way_by_all_versions():
    text = """lua5.4: /srv/weir/weir.lua:2: weir 5 is high
stack traceback:
	[C]: in function 'error'
	/srv/weir/weir.lua:2: in {open}
	...	(skipping 12 levels)
	/srv/weir/weir.lua:3: in local 'shut'
	(...tail calls...)
	/srv/weir/weir.lua:4: in main chunk
	[C]: in ?
"""
    expected = [("", ["main chunk", "shut", "open"])]

    assert outline(text.format(open="field 'open'")) == expected
    assert outline(text.format(open="function 'Weir.open'")) == expected
    assert read(text).errors[0].message == "weir 5 is high"


def test_line_of_a_function_without_a_name_does_not_count():
    text = "a\nlua: cart.lua:7: no 5\nstack traceback:\n\tcart.lua:{}: in function <cart.lua:{}>\n"

    assert read(text.format(7, 3)).errors == read(text.format(9, 5)).errors


def test_request_behind_the_last_frame_of_openresty_is_no_part_of_it():
    text = """[error] 31#31: lua entry thread aborted: runtime error: /srv/lua/cart.lua:51: attempt to index 'item'
stack traceback:
coroutine 0:
	/srv/lua/cart.lua:51: in function 'add'
	/srv/lua/init.lua:9: in main chunk, client: 10.0.0.7, server: example.net, request: "POST /cart HTTP/1.1"
"""

    assert outline(text) == [("", ["main chunk", "add"])]


@pytest.mark.parametrize(
    "text", ["stack traceback:\nnone was kept\n", "See the stack traceback: it is long.\n\ta: in b\n"]
)
def test_heading_without_frames_is_no_trace(text):
    assert find(text) is None
