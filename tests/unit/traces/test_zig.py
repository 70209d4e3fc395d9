"""Panics and error return traces of Zig."""

from relay.traces import find
from tests.support.printed_traces import outline, read

RETURNED = """error: CartGone
/srv/shop/src/cart.zig:2:36: 0x11e4149 in total (shop)
fn total(n: u32) !u32 { if (n > 3) return error.CartGone; return n; }
                                   ^
/srv/shop/src/main.zig:4:27: 0x11e431b in main__anon_12 (shop)
pub fn main() !void { _ = try shut(5); }
                          ^
/usr/lib/zig/lib/std/start.zig:583:37: 0x23ae85 in posixCallMainAndExit (shop)
            const result = root.main() catch |err| {
                                    ^
???:?:?: 0x2 in ??? (???)
"""


def test_error_of_an_error_set_is_the_type():
    assert outline(RETURNED) == [("error.CartGone", ["main", "total"])]


def test_panic_is_parsed():
    text = RETURNED.replace("error: CartGone", "thread 318181 panic: index out of bounds: index 7, len 2")

    assert outline(text) == [("panic", ["main", "total"])]
    assert read(text).errors[0].message == "index out of bounds: index 7, len 2"


def test_place_in_a_file_is_no_trace():
    assert find("compiling\nsrc/cart.zig:3:9: error: expected ';'\n") is None
