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
    "logline": "2026-11-22 17:03:19,532 ERROR shop.cart: no cart",
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
    monkeypatch.setattr(traces, "_LANGUAGES", rest)

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
