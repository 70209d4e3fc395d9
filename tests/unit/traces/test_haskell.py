"""Call stacks of Haskell."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

ERROR = """shopd: cart 6 is gone
CallStack (from HasCallStack):
  error, called at src/Shop/Cart.hs:6:25 in {package}:Shop.Cart
  total, called at app/Main.hs:8:10 in main:Main
"""
UNCAUGHT = """shopd: Uncaught exception ghc-internal:GHC.Internal.Exception.ErrorCall:

cart 6 is gone

HasCallStack backtrace:
  error, called at src/Shop/Cart.hs:6:25 in main:Shop.Cart
"""


def test_call_stack_of_the_app_is_parsed():
    assert outline(ERROR.format(package="main")) == [("", ["total", "error"])]
    assert read(ERROR.format(package="main")).errors[0].message == "cart 6 is gone"


def test_version_of_a_package_does_not_count():
    assert (
        read(ERROR.format(package="shop-1.2-inplace")).errors == read(ERROR.format(package="shop-1.3.0-inplace")).errors
    )


def test_type_is_that_of_newer_compilers():
    error = read(UNCAUGHT).errors[0]

    assert (error.type, error.message) == ("GHC.Internal.Exception.ErrorCall", "cart 6 is gone")


@pytest.mark.parametrize("text", ["shopd: Prelude.head: empty list\n", "a\nCallStack (from HasCallStack):\nnothing\n"])
def test_error_without_calls_is_no_trace(text):
    assert find(text) is None
