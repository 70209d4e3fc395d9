"""Memoized functions of the pure core: they never change the result for a later mail, and their memory is bounded."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relay.grouping.fingerprint
from relay import redact, traces
from relay.grouping.fingerprint import fingerprint
from relay.memo import Memoized
from relay.model import Fingerprint, Report
from relay.parameterize import template
from relay.parse import layouts, mime, report, situations
from relay.parse.report import parse
from tests.support.mails import TRACEBACK, record
from tests.support.memoized import bytes_held

MODULES = (layouts, mime, report, template, redact, situations, traces, relay.grouping.fingerprint)


def memoized_functions() -> Iterator[Any]:
    """Yield every memoized function of the core."""
    for package in MODULES:
        inner = pkgutil.iter_modules(getattr(package, "__path__", []), f"{package.__name__}.")
        for module in (package, *(importlib.import_module(each.name) for each in inner)):
            for value in vars(module).values():
                if hasattr(value, "cache_clear") and value.__module__ == module.__name__:
                    yield value


MEMOIZED = list(memoized_functions())


def parsed(content: bytes) -> tuple[Report, Fingerprint]:
    report = redact.redact(parse(record(content), ()))
    return report, fingerprint(report)


def parsed_without_cache(content: bytes) -> tuple[Report, Fingerprint]:
    for function in MEMOIZED:
        function.cache_clear()
    return parsed(content)


FRAMES = "".join(
    f'  File "/srv/{{root}}/shop/{name}.py", line {{line}}, in {name}\n    {name}(1)\n' for name in "abcdef"
)
DEEP = "Traceback (most recent call last):\n" + FRAMES + "shop.Lost: order {number} of {word} is lost\n"
BODIES = (
    DEEP,
    "{word}\n" + DEEP,
    DEEP + "\nDuring handling of the above exception, another exception occurred:\n\n" + DEEP,
    TRACEBACK,
    DEEP.replace("    a(1)", "    password = '{word}'"),
    DEEP.replace("shop.Lost", "sqlite3.OperationalError").replace("order", "database is locked"),
    "\n".join(f"  {line}" for line in DEEP.split("\n")),
    "Message type:       ERROR\nLocation:           /srv/{root}/a.py:{line}\nModule:             a\n"
    "Function:           {word}\nTime:               2026-03-01 12:00:0{number}\n\nMessage:\n\n{word}\n\n" + DEEP,
    "token={word} {root} {number}",
)
MAILS = st.builds(
    lambda subject, body, data: (
        f"From: {data['root']}@example.com\nSubject: {subject}\n\n"
        f"{''.join(piece.format(**data) if '{' in piece else piece for piece in body)}"
    ).encode(),
    st.sampled_from(["Shop failed", "[Shop] token=abcdefgh", "x"]),
    st.lists(st.sampled_from(BODIES), min_size=1, max_size=2),
    st.fixed_dictionaries({
        "root": st.sampled_from(["current", "venv/lib/python3.11/site-packages"]),
        "line": st.integers(1, 9),
        "number": st.integers(0, 9),
        "word": st.sampled_from(["ada", "hunter2hunter2", "Bearer abcdefgh12345678", 'File "x', "Traceback (most"]),
    }),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(MAILS, min_size=1, max_size=8))
def test_mail_is_parsed_the_same_after_any_other_mails(contents):
    warm = [parsed(content) for content in contents]

    assert warm == [parsed_without_cache(content) for content in contents]


@settings(max_examples=30, deadline=None)
@given(st.lists(MAILS, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_mail_is_parsed_the_same_if_caches_are_cleared_in_between(contents, random):
    expected = [parsed_without_cache(content) for content in contents]
    order = [*range(len(contents))] * 2
    random.shuffle(order)

    for number in order:
        for function in random.sample(MEMOIZED, 3):
            function.cache_clear()
        assert parsed(contents[number]) == expected[number]


@pytest.mark.parametrize("function", MEMOIZED, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_number_of_memoized_results_is_bounded(function):
    assert 0 < function.cache_parameters()["maxsize"] <= 4_096


def test_memoized_functions_are_found():
    assert {traces.python._stack, redact.search._in_short_text, template._memoized_key} <= set(MEMOIZED)


# --- Memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [each for each in MEMOIZED if isinstance(each, Memoized)], ids=lambda each: each.__name__
)
def test_hostile_texts_of_the_largest_size_do_not_fill_the_memory(function):
    """At most one megabyte is stored, also for characters of four bytes."""
    size = function.cache_parameters()["bytes"]
    extra = [redact._DEFAULT._names] if function is redact.search._in_stack else []
    function.cache_clear()

    for number in range(400):
        text = f"  {number} \U0001f4e6 x".ljust(function._largest // 4 - 50, "x")
        function(text.encode() if function is mime.headers._head else text, *extra)

    assert size // 4 < bytes_held(function) <= size <= 1_000_000
    function.cache_clear()


def test_memory_of_all_memoized_functions_together_is_bounded():
    assert sum(each.cache_parameters()["bytes"] for each in MEMOIZED if isinstance(each, Memoized)) <= 4_000_000
