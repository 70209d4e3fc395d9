"""Every rule of every table is needed: without it, the result for its example differs.

The table of `patterns` is tested in the same way in test_patterns, with the exact result of each rule.
"""

import re

import pytest

from relay import traces
from relay.parameterize import template
from relay.parse import layouts
from relay.parse.layouts import logline
from relay.parse.report import parse_text
from relay.traces import paths, python_wording
from relay.traces.search import Search
from tests.support.same_errors import EQUAL_MESSAGES, REWORDED, raised, same_error

NEVER = re.compile(r"(?!)()")
TRACES = {
    "python": 'Traceback (most recent call last):\n  File "/srv/shop/cart.py", line 7, in total\n    x\nKeyError: 5',
    "rust": "thread 'main' panicked at src/cart.rs:3:9:\nno 5",
    "javascript": "TypeError: no 5\n    at total (/srv/shop/cart.js:3:9)",
    "java": "java.lang.IllegalStateException: no 5\n\tat org.shop.Cart.total(Cart.java:7)",
    "ruby": "cart.rb:7:in `total': no 5 (KeyError)\n\tfrom cart.rb:9:in `<main>'",
    "go": "panic: no 5\n\ngoroutine 1 [running]:\nmain.total()\n\t/srv/shop/cart.go:7 +0x1d",
    "php": "Uncaught Lost: no 5 in /srv/Cart.php:7\nStack trace:\n#0 /srv/Web.php(3): total()\n#1 {main}",
    "dotnet": "System.FormatException: no 5\n   at Shop.Cart.Total(String s)",
    "zope": "Traceback (innermost last):\n  Module shop.cart, line 7, in total\nKeyError: 5",
    "elixir": "** (KeyError) no 5\n    lib/cart.ex:7: Shop.total/1",
    "erlang": "exception error: no 5\n  in function  cart:total/1 (cart.erl, line 7)",
    "delphi": "exception class : ELost\n0040e235 app.exe cart 7 +4 TCart.Total",
    "perl": "no 5 at cart.pl line 7.\n\tmain::total(5) called at cart.pl line 9",
    "powershell": "no 5\nat <ScriptBlock>, C:\\cart.ps1: line 7",
    "dart": "Exception: no 5\n#0      total (package:shop/cart.dart:7:9)",
    "native": "signal SIGSEGV\n#0  0x7f in total (n=5) at cart.c:7\n#1  0x7f in main () at cart.c:9",
    "lua": "lua: cart.lua:7: no 5\nstack traceback:\n\tcart.lua:7: in function 'total'",
    "swift": "Fatal error: no 5\nThread 0 crashed:\n0 0x7f total() + 5 in shop at /srv/cart.swift:7:9",
    "postgresql": "ERROR:  no 5\nCONTEXT:  PL/pgSQL function total(integer) line 7 at RETURN",
    "oracle": 'ORA-20001: no 5\nORA-06512: at "SHOP.CART", line 7',
    "cobol": "IEF450I SHOP STEP5 - ABEND=S0C7 U0000",
    "r": "Error in total(5) : no 5\nCalls: main -> total",
    "haskell": "shop: no 5\nCallStack (from HasCallStack):\n  error, called at cart.hs:7:9 in main:Main",
    "julia": "ERROR: no 5\nStacktrace:\n [1] total(n::Int64) at /srv/cart.jl:7",
    "ocaml": 'Fatal error: exception Not_found\nRaised at Cart.total in file "cart.ml", line 7, characters 1-2',
    "crystal": "Unhandled exception: no 5 (Lost)\n  from cart.cr:7:9 in 'total'",
    "nim": "Traceback (most recent call last)\ncart.nim(7) total\nError: unhandled exception: no 5 [Lost]",
    "zig": "error: Lost\ncart.zig:7:9: 0x7f in total (shop)",
    "clojure": "Execution error (Lost) at shop.cart/total (cart.clj:7).\nno 5",
    "bash": "+ cd\n+ total\ncart.sh: line 7: total: command not found",
}
LOG_LINES = (
    "[2026-11-22 17:03:19,532: ERROR/ForkPoolWorker-6] no cart",
    "[2026-11-22 17:03:19,532] ERROR in cart: no cart",
    "2026-11-22 17:03:19,532 ERROR shop.cart: no cart",
    "ERROR 2026-11-22 17:03:19,532 cart 4711 140311451243661 no cart",
    "ERROR:shop.cart:no cart",
    "E, [2026-11-22T17:03:19.532000 #4711] ERROR -- : no cart",
    "ERROR - no cart",
    "E1122 17:03:19.532000       1 cart.go:118] no cart",
)
"""One example for each pattern of `logline`, in their order."""
LAYOUTS = {
    "documented": "Message type:       ERROR\nLocation:           /srv/cart.py:7\nModule: cart\n\nMessage:\n\nno cart",
    "structured": '{"level": "error", "message": "no cart"}',
    "logfmt": 'level=error msg="no cart"',
    "labels": "Logger: shop.cart\nHost: web-1\nPID: 7\n\nno cart",
    "logline": "ERROR:shop.cart:no cart",
}
PATHS = {
    "_PACKAGES": "/srv/venv/lib/site-packages/shop/cart.py",
    "_STANDARD_LIBRARY": "/usr/lib/python3.11/json/decoder.py",
    "_RELEASE_FOLDER": "/releases/20240510135504/cart.py",
    "_BASES": "/home/ada/shop/cart.py",
    "_TEMPORARY": "/tmp/x17/rule.py",
}


@pytest.fixture(autouse=True)
def _clear_caches():
    """Clear the caches before and after each test, because their results depend on the rules."""
    memoized = (paths._python_place, paths._app_file, template._memoized_key)
    for each in memoized:
        each.cache_clear()
    yield
    for each in memoized:
        each.cache_clear()


def name_of(language):
    return language.__name__.rpartition(".")[2]


@pytest.mark.parametrize("name", TRACES)
def test_trace_is_parsed_only_by_the_module_of_its_language(name, monkeypatch):
    found = traces.find(TRACES[name])
    rest = tuple(each for each in traces._LANGUAGES if name_of(each) != name)
    monkeypatch.setattr(traces, "_SEARCH", Search(rest))

    assert found is not None
    assert found != traces.find(TRACES[name])


def test_every_language_has_an_example():
    assert list(map(name_of, traces._LANGUAGES)) == list(TRACES)


@pytest.mark.parametrize("number", range(len(python_wording._REWORDED)))
def test_without_a_wording_two_versions_of_python_differ(number, monkeypatch):
    rest = (*python_wording._REWORDED[:number], *python_wording._REWORDED[number + 1 :])
    monkeypatch.setattr(python_wording, "_REWORDED", rest)

    assert not all(same_error(raised(older), raised(newer)) for older, newer in REWORDED)


@pytest.mark.parametrize("name", python_wording._ALIASES)
def test_without_an_alias_a_renamed_class_is_another_error(name, monkeypatch):
    now = python_wording._ALIASES[name]
    assert same_error(raised(f"{name}: x"), raised(f"{now}: x"))
    monkeypatch.delitem(python_wording._ALIASES, name)

    assert not same_error(raised(f"{name}: x"), raised(f"{now}: x"))


@pytest.mark.parametrize("name", ["_SUGGESTION", "_QUALIFIED"])
def test_without_the_pattern_an_addition_of_python_makes_another_error(name, monkeypatch):
    monkeypatch.setattr(python_wording, name, NEVER)

    assert not all(same_error(raised(older), raised(newer)) for older, newer in REWORDED)


@pytest.mark.parametrize("name", PATHS)
def test_without_a_path_rule_the_file_differs(name, monkeypatch):
    found = paths.python_place(PATHS[name])
    paths._python_place.cache_clear()
    paths._app_file.cache_clear()
    monkeypatch.setattr(paths, name, NEVER)

    assert found != paths.python_place(PATHS[name])


@pytest.mark.parametrize("folder", sorted(paths._DEPLOYMENT_FOLDERS))
def test_deployment_folder_is_left_out(folder):
    assert paths.app_file(f"/x/{folder}/cart.py") == paths.app_file("/x/current/cart.py") == "cart.py"


@pytest.mark.parametrize("root", paths._FLAT_ROOTS)
def test_without_a_flat_root_its_libraries_count_as_app(root, monkeypatch):
    assert paths.python_place(f"{root}flask/app.py").origin is traces.Origin.LIBRARY
    paths._python_place.cache_clear()
    monkeypatch.setattr(paths, "_FLAT_ROOTS", tuple(each for each in paths._FLAT_ROOTS if each != root))

    assert paths.python_place(f"{root}flask/app.py").origin is traces.Origin.APP


@pytest.mark.parametrize(
    "name",
    [
        "_RUN",
        "_WRAPPED",
        "_PLURAL",
        "_AGREES",
        "_PLURAL_AFTER_WORD",
        "_ROW",
        "_REPEATED",
        "_SPACE",
        "_ELIDED",
        "_BESIDE_MASK",
    ],
)
def test_without_a_step_of_the_key_equal_messages_differ(name, monkeypatch):
    monkeypatch.setattr(template, name, NEVER)

    assert not all(template._key(_typed(one)) == template._key(_typed(other)) for one, other in EQUAL_MESSAGES)


def _typed(text):
    return template.Parameterizer().template(text).text


@pytest.mark.parametrize("number", range(len(LOG_LINES)))
def test_without_a_log_line_pattern_the_report_differs(number, monkeypatch):
    report = parse_text("x", LOG_LINES[number])
    own = logline._LOG_LINES[number]
    monkeypatch.setattr(logline, "_LOG_LINES", tuple(each for each in logline._LOG_LINES if each is not own))

    assert report.message == "no cart"
    assert report != parse_text("x", LOG_LINES[number])


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_a_layout_its_message_is_not_found(name, monkeypatch):
    assert parse_text("x", LAYOUTS[name]).message == "no cart"
    monkeypatch.setattr(getattr(layouts, name), "read", lambda _: None)

    assert parse_text("x", LAYOUTS[name]).message != "no cart"


@pytest.mark.parametrize("name", TRACES)
def test_trace_that_is_cut_out_of_its_text_is_read_in_the_same_way(name):
    text = f"Totals failed\n\n{TRACES[name]}\n\nThat is all.\n"
    found = traces.find(text)
    assert found is not None
    again = traces.find(text[found.start : found.end])

    assert again is not None
    assert again.errors == found.errors
