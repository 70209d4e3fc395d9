"""What is kept in memory of earlier mails never changes what is read of a later one, and is bounded."""

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

STEPS = (layouts, mime, report, template, redact, situations, traces, relay.grouping.fingerprint)


def remembering() -> Iterator[Any]:
    """Every function of the core that remembers."""
    for step in STEPS:
        inner = pkgutil.iter_modules(getattr(step, "__path__", []), f"{step.__name__}.")
        for module in (step, *(importlib.import_module(each.name) for each in inner)):
            for value in vars(module).values():
                if hasattr(value, "cache_clear") and value.__module__ == module.__name__:
                    yield value


KEPT = list(remembering())


def understood(content: bytes) -> tuple[Report, Fingerprint]:
    report = redact.redact(parse(record(content), ()))
    return report, fingerprint(report)


def afresh(content: bytes) -> tuple[Report, Fingerprint]:
    for function in KEPT:
        function.cache_clear()
    return understood(content)


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
def test_a_mail_is_understood_alike_after_whatever_mails(contents):
    warm = [understood(content) for content in contents]

    assert warm == [afresh(content) for content in contents]


@settings(max_examples=30, deadline=None)
@given(st.lists(MAILS, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_a_mail_is_understood_alike_after_what_was_kept_is_forgotten_now_and_then(contents, random):
    expected = [afresh(content) for content in contents]
    order = [*range(len(contents))] * 2
    random.shuffle(order)

    for number in order:
        for function in random.sample(KEPT, 3):
            function.cache_clear()
        assert understood(contents[number]) == expected[number]


@pytest.mark.parametrize("function", KEPT, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_what_is_kept_is_bounded_in_number(function):
    assert 0 < function.cache_parameters()["maxsize"] <= 4_096


def test_the_functions_that_keep_something_are_found():
    assert {traces.python._stack, redact.search._in_short_text, template._kept_key} <= set(KEPT)


# --- Within a number of bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [each for each in KEPT if isinstance(each, Memoized)], ids=lambda each: each.__name__
)
def test_hostile_texts_of_the_largest_kind_do_not_fill_the_memory(function):
    """A megabyte is kept at the most, of characters of any width."""
    size = function.cache_parameters()["bytes"]
    extra = [redact._DEFAULT._names] if function is redact.search._in_stack else []
    function.cache_clear()

    for number in range(400):
        text = f"  {number} \U0001f4e6 x".ljust(function._largest // 4 - 50, "x")
        function(text.encode() if function is mime.headers._head else text, *extra)

    assert size // 4 < bytes_held(function) <= size <= 1_000_000
    function.cache_clear()


def test_all_that_is_kept_of_large_texts_together_is_bounded():
    assert sum(each.cache_parameters()["bytes"] for each in KEPT if isinstance(each, Memoized)) <= 4_000_000
