"""What is kept in memory of earlier mails never changes what is read of a later one, and is bounded."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relay.fingerprint
from relay import forms, mail, parse, placeholders, redact, situations, traces
from relay.fingerprint import fingerprint
from relay.model import Fingerprint, Report
from tests.unit.mails import TRACEBACK, record

STEPS = (forms, mail, parse, placeholders, redact, situations, traces, relay.fingerprint)


def kept() -> Iterator[Any]:
    """Every function of the core that remembers."""
    for step in STEPS:
        inner = pkgutil.iter_modules(getattr(step, "__path__", []), f"{step.__name__}.")
        for module in (step, *(importlib.import_module(each.name) for each in inner)):
            for value in vars(module).values():
                if hasattr(value, "cache_clear") and value.__module__ == module.__name__:
                    yield value


KEPT = list(kept())


def understood(content: bytes) -> tuple[Report, Fingerprint]:
    report = redact.redact(parse.parse(record(content), ()))
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


@pytest.mark.parametrize("function", KEPT, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_what_is_kept_is_bounded_in_number(function):
    assert 0 < function.cache_parameters()["maxsize"] <= 4_096


def test_the_functions_that_keep_something_are_found():
    assert {traces.python._kept_stack, redact.search._kept_short, placeholders._kept_key} <= set(KEPT)
