"""Panics and backtraces of Rust."""

from tests.support.printed_traces import outline, printed, read

RUST = printed("rust.txt")


def test_panics_are_parsed():
    assert outline(RUST["option"]) == [("panic", ["tide::main", "tide::daily", "tide::gauge::mean"])]
    assert read(RUST["index"]).errors[0].message == "index out of bounds: the len is 2 but the index is 7"
    assert read(RUST["bare"]).errors[0].frames[0].file == "gauge.rs"
    assert outline(RUST["bare"].replace("(28", "(99")) == outline(RUST["bare"])


def test_panics_of_older_releases_and_backtraces_of_error_libraries_are_parsed():
    old = "thread 'main' panicked at 'no cart 5', src/cart.rs:5:18\nnote: run with `RUST_BACKTRACE=1`"
    anyhow = "Error: no cart 5\n\nStack backtrace:\n   0: shop::cart::total\n             at ./src/cart.rs:5:1\n"

    assert read(old).errors[0].message == "no cart 5"
    assert outline(anyhow) == [("", ["shop::cart::total"])]


def test_backtrace_with_addresses_is_parsed():
    text = """stack backtrace:
   0:     0x55d0e2a1c8d4 - std::panicking::begin_panic::h8a1b2c3d4e5f6071
                               at /rustc/x/library/std/src/panicking.rs:93:5
   1:     0x55d0e2a1c8d4 - shop::cart::total::h8a1b2c3d4e5f6071
                               at /home/ada/shop/src/cart.rs:3:9
"""

    assert outline(f"thread 'main' panicked at src/cart.rs:3:9:\nno 5\n{text}") == [("panic", ["shop::cart::total"])]
    assert outline(text) == [("", ["shop::cart::total"])]
