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
             at ./a.rs:1:1
Traceback (innermost last):
  Module a.b, line 1, in c
[error] GenServer A.B terminating
** (A) no match of right hand side value: %A{}
    (a 1.0) lib/a.ex:1: A.b/1
  exception error: no function clause matching a:b(1) (a.erl, line 1)
  in function  a:b/1 (a.erl, line 1)
** {{badmatch,a},
    [{a,b,1,[{file,"a.erl"},{line,1}]},
exception class   : EA
exception message : b
0040e235 app.exe a  563 +40 TA.b
[0000000000EED5C9]{a.exe} a.TB.c (Line 1, "a.pas" + 2)
|Address |Module|Unit|Class|Procedure/Method|Line|
|00|a.exe|b|TC|d|1|
EA: b
  $00000000004010A4  A,  line 1 of a.pas
\ta::b(1) called at a.pl line 1
a at a.pl line 1.
    + CategoryInfo          : A: (:) [B], C
Line |
   1 | a
at <ScriptBlock>, C:\\a.ps1: line 1
#0      a.b (package:c/d.dart:1:2)
I/flutter (1): The following A was thrown b
==1==ERROR: AddressSanitizer: a-b on address 0x1
    #0 0x1 in a::b(int) /c/d.cpp:1:2
#1  0x1 in a (b=1) at c.c:1
./a(_ZN1a1bEi+0x1)[0x2]
stack traceback:
\t/a.lua:1: in function 'b'
Fatal error: a
Thread 0 crashed:
0 0x1 a() + 1 in b at /c.swift:1:2
ERROR:  a
CONTEXT:  PL/pgSQL function b(integer) line 1 at RETURN
ORA-20001: a
ORA-06512: at "A.B", line 1
CEE3204S a
   From compile unit A at entry point B at
IEF450I A B - ABEND=S0C7 U0000 REASON=0
Error in a(1) : b
Calls: a -> b
2: a(1)
1: b(2)
CallStack (from HasCallStack):
  error, called at a.hs:1:2 in main:Main
Stacktrace:
 [1] a(b::C)
   @ D /e.jl:1
Fatal error: exception A("b")
Raised at A.b in file "a.ml", line 1, characters 1-2
Unhandled exception: a (B)
  from a.cr:1:2 in 'b'
a.nim(1) b
Error: unhandled exception: a [B]
/a.zig:1:2: 0x1 in b (c)
Execution error (A) at b/c (d.clj:1).
+ a
a.sh: line 1: b: c
   --- a ---"""
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
        "#0 0x1 in (a) ",
        "    f(",
        "a:1:",
        "at <ScriptBlock>, ",
        "exception error: a:b(",
        "PL/pgSQL function f((",
        " called at ",
        "**  (A) ",
        "[{a,",
        "|",
    ],
)
def test_megabyte_on_one_line_is_parsed_in_bounded_time(unit):
    markers = "Traceback (most recent call last):\n   at goroutine 1 :in ` panicked at \n"
    text = f"{markers}{unit * (1_000_000 // len(unit))}\n#0 a\n"

    assert find(text) is None or find(text)


@pytest.mark.parametrize(
    ("beginning", "unit"),
    [
        ("    #0 0x1 in ", "(a) "),
        ("#0  0x1 in ", "a (b) "),
        ("#0      ", "a (package:"),
        ("    (a 1.0) b.ex:1: ", "a/"),
        ("** (A) ", "got: "),
        ("  exception error: a:b(", "(a.erl, line 1)"),
        ("[{a,b,1,[{file,", "{a,b,["),
        ("[00000000]{a} ", "a(Line 1, "),
        ("|Procedure/Method|Module|Unit|Class|\n|", "|"),
        ("\ta::b(", ") called at "),
        ("    + CategoryInfo : ", "[a], "),
        ("\t", "a: in "),
        ("ERROR:  a\nCONTEXT:  PL/pgSQL function a(", "(a)"),
        ("Error in a(", ") : "),
        ("  a, called at ", "a:1:1 in "),
        (" [1] a", " @ a:1"),
        ("  from ", "a:1:1 in 'b"),
        ("/a", "/b.zig:1:1: 0x1 in a ("),
        ("+ a\n+ b\n/a", ": line 1: "),
        ("0 0x1 ", "a in b + 1 "),
        ("   --- ", "a --- "),
    ],
)
def test_long_lines_of_any_trace_are_parsed_in_bounded_time(beginning, unit):
    head = "a\nstack traceback:\nCallStack (from a\nStacktrace:\nThread 0 crashed:\nA.B: c\n"
    line = beginning + unit * (2_500 // len(unit))
    text = head + f"{line}\n" * (250_000 // len(line))

    assert find(text) is None or find(text)


def test_text_with_a_marker_of_every_language_and_many_lines_is_parsed_in_bounded_time():
    text = "\n".join(LINES) + "\na" * 500_000

    assert find(text) is not None


# --- Prose and logs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "The total is wrong at cart.pl line 7.",
        "cart.sh: line 7: total: command not found",
        "Dear all,\nwe met at noon in the shop (see below)\n   in Oslo we met Ada (see above)\n\nAda",
        "Agenda\n1: open the door\n2: Calls: Ada -> Bob\n3: close(the door)\n",
        "Thread 5 of the forum crashed: nobody can post\n1 Ada in Oslo\n2 Bob in Bergen\n",
        "* one\n** (two)\n   - three\n",
        "From compile unit to test unit\n  from Ada\n  from Bob\n",
        "Raised at noon in file 5\nCalled from Oslo\n",
        "2026-11-22 17:03:19 INFO cart.nim(5): saved\n2026-11-22 17:03:19 INFO cart.ex:5: saved\n",
        "src/cart.zig:7:9: warning\nlib/cart.ex:7: warning: unused\n",
        '[{"a": 1},\n {"file": "b.erl", "line": 7}]\n',
        "diff --git a b\n--- a/cart.sh\n+++ b/cart.sh\n+ one\n+ two\n+ cart.sh: line\n",
        "| Module | Unit | Class | Owner |\n| a.exe | b | TC | Ada |\n",
        "Tickets\n#0 is open (Ada)\n#1 is shut (Bob)\n",
        "ORA-00942: table or view does not exist\nORA-06512: at line 1\n",
        "CONTEXT: the shop\nERROR: no bread\nCONTEXT:  COPY carts, line 7\n",
        "package:shop is new\npackage:cart 1.2  Ada\n",
        "Stacktrace: none\nBacktrace:\nCallStack (from Ada): none\nstack traceback: none\n",
        "exception class is what we call it\n0040e235 is a number\n",
        "Syntax error at (cart.clj)\nExecution error in the shop\n",
    ],
)
def test_prose_and_logs_have_no_trace(text):
    assert find(text) is None


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
