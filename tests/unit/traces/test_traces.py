"""Stack traces of any language: relevant frames, surrounding text, arbitrary and hostile input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.traces import find, relevant_frames
from relay.traces.frames import CUT_MARKER_PREFIX
from tests.support.printed_traces import read

# --- Relevant frames --------------------------------------------------------------------------------------------------


def frames(*places):
    lines = [f'  File "{path}", line 1, in {function}' for path, function in places]
    return "\n".join(["Traceback (most recent call last):", *lines, "KeyError: 1"])


def relevant_functions(*places):
    return [frame.function for frame in relevant_frames(read(frames(*places)))[0]]


LIBS = "/srv/venv/lib/python3.12/site-packages"


def test_only_frames_of_the_app_are_relevant():
    places = [
        (f"{LIBS}/flask/app.py", "wsgi_app"),
        ("/srv/shop/shop/cart.py", "total"),
        (f"{LIBS}/money/sum.py", "add"),
    ]

    assert relevant_functions(*places) == ["total"]


def test_outermost_unknown_package_is_the_app_if_it_is_installed_like_a_library():
    places = [(f"{LIBS}/flask/app.py", "wsgi_app"), (f"{LIBS}/shop/cart.py", "total"), (f"{LIBS}/money/sum.py", "add")]

    assert relevant_functions(*places) == ["total"]


def test_all_frames_are_relevant_if_all_are_library_code():
    places = [("/usr/lib/python3.11/threading.py", "run"), (f"{LIBS}/redis/client.py", "get")]

    assert relevant_functions(*places) == ["run", "get"]


# --- Arbitrary and hostile input --------------------------------------------------------------------------------------

PRINTED = """Traceback (most recent call last):
  File "/a/b.py", line 1, in f
    x()
E: m
  + Exception Group Traceback (most recent call last):
  | x
    | Traceback (most recent call last):
The above exception (x) was the direct cause
Exception Type: A
Exception Value: b
\tat a.b.C.d(E.java:1)
Caused by: a.B: c
\t... 3 more
    at f (/a/b.js:1:2)
  [cause]: A: b
}
goroutine 1 [running]:
main.f()
\t/a/b.go:1 +0x1
panic: x
a.rb:1:in `b'
\tfrom a.rb:1:in `b'
#0 /a/b.php(1): c->d()
Next A: b in /c/d.php:1
   at A.B.C(String d)
 ---> A.B: c
   --- End of inner exception stack trace ---
thread 'a' panicked at b.rs:1:1:
stack backtrace:
   0: a::b
             at ./a.rs:1:1"""
LINES = ["", CUT_MARKER_PREFIX, *PRINTED.split("\n")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=10)), max_size=40))
def test_span_of_a_trace_in_arbitrary_lines_consists_of_whole_lines(lines):
    text = "\n".join(lines)
    trace = find(text)

    if trace:
        assert 0 <= trace.start <= trace.end <= len(text)
        assert f"\n{text}"[trace.start] == f"{text}\n"[trace.end] == "\n"
        assert trace.errors
        assert len(relevant_frames(trace)) == len(trace.errors)


@pytest.mark.parametrize("line", LINES)
def test_megabyte_of_equal_lines_is_parsed_in_bounded_time(line):
    trace = find((line + "\n") * (1_000_000 // (len(line) + 1)))

    assert trace is None or trace.errors


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "at a.",
        ' File "',
        "(A",
        ": (A::",
        "panic ",
        " at (",
        "[cause]: ",
        "a:1:in `",
        " in /a:1",
        "thread '",
        "---> A.B: ",
    ],
)
def test_megabyte_on_one_line_is_parsed_in_bounded_time(unit):
    markers = "Traceback (most recent call last):\n   at goroutine 1 :in ` panicked at \n"
    text = f"{markers}{unit * (1_000_000 // len(unit))}\n#0 a\n"

    assert find(text) is None or find(text)


# --- Errors after other text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type_", "message"),
    [
        (
            "17:03|ERROR|Shop.Cart|no cart|System.FormatException: bad 5\n   at Shop.Cart.Total(String s)",
            "System.FormatException",
            "bad 5",
        ),
        (
            "Description: ended.\nException Info: System.IO.InvalidDataException\n   at Shop.Cart.Total(System.String)",
            "System.IO.InvalidDataException",
            "",
        ),
        (
            "ERROR request failed: org.shop.CartException: no 5\n\tat org.shop.Cart.total(Cart.java:7)",
            "org.shop.CartException",
            "no 5",
        ),
        ("cannot close 5: Error: no key\n    at total (/srv/shop/cart.js:3:9)", "Error", "no key"),
        ("CartError:\nInvalid call in\n/a/b.js:3\nno 5\n    at total (/srv/shop/cart.js:3:9)", "CartError", "no 5"),
        (
            "A Cart::Lost occurred in carts#show:\n\n  no cart 5\n  app/carts.rb:7:in `total'",
            "Cart::Lost",
            "no cart 5",
        ),
        (
            "[error][db] PDOException: no 5 in /srv/a/Cart.php:7\nStack trace:\n#0 /srv/a/Web.php(3): total()",
            "PDOException",
            "no 5",
        ),
        (
            "[object] (Shop\\Lost(code: 7): no cart\nDETAIL: no key at /srv/Cart.php:7)\n#0 /srv/Web.php(3): total()",
            "Shop\\Lost",
            "no cart",
        ),
    ],
)  # fmt: skip
def test_error_after_other_text_is_parsed(text, type_, message):
    found = find(text)

    assert found is not None
    assert [(error.type, error.message) for error in found.errors] == [(type_, message)]
