"""Stack traces of Julia."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

NEW = """ERROR: LoadError: BoundsError: attempt to access 2-element Vector{Int64} at index [5]
Stacktrace:
 [1] throw_boundserror(A::Vector{Int64}, I::Tuple{Int64})
   @ Base ./essentials.jl:14
 [2] total(items::Vector{Int64})
   @ Shop /srv/shop/src/cart.jl:7 [inlined]
 [3] (::Shop.var"#5#6")(n::Int64)
   @ Shop /srv/shop/src/web.jl:3
 [4] top-level scope
   @ /srv/shop/main.jl:9
in expression starting at /srv/shop/main.jl:9

caused by: KeyError: key 5 not found
Stacktrace:
 [1] getindex(h::Dict{Int64, Int64}, key::Int64)
   @ Base ./dict.jl:498
 [2] price(n::Int64)
   @ Shop /srv/shop/src/cart.jl:3
"""
OLD = """ERROR: cart 5 is gone
Stacktrace:
 [1] error(::String) at ./error.jl:33
 [2] total(::Int64) at /srv/shop/src/cart.jl:7
"""


def test_error_and_its_cause_are_parsed():
    assert outline(NEW) == [("KeyError", ["price"]), ("BoundsError", ["closure", "total"])]


def test_older_form_is_parsed():
    assert outline(OLD) == [("", ["total"])]
    assert read(OLD).errors[0].message == "cart 5 is gone"


@pytest.mark.parametrize("text", ["a\nStacktrace:\n[1] is missing at noon\n", "ERROR: no\nStacktrace:\nnone\n"])
def test_heading_without_frames_is_no_trace(text):
    trace = find(text)

    assert trace is None or not trace.errors[0].frames
