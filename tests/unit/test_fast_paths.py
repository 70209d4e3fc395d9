"""Fast paths for common mails: each gives the same result as the general way."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import redact
from relay.parse import layouts
from relay.parse.layouts import line_prefix, syslog
from relay.parse.mime import headers, sanitize
from relay.redact import _DEFAULT, search
from relay.redact.names import Names
from tests.support.paths import DATA

EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a: b", b" ", b"\n\n"]), max_size=9).map(b"".join))
def test_header_section_ends_at_the_first_empty_line(content):
    end = EMPTY_LINE.search(content)

    assert headers._split_at_empty_line(content) == (
        (content[: end.start()], content[end.end() :]) if end else (content, b"")
    )


LINES = [
    "  indented", "plain", "", " ", "\ttab", "\x1b[31mred", "\x1b[", "\x00", "é\x85", "\u2028x", "\ud800", "  \x07",
    "\x1b[0", "m",
]  # fmt: skip


@pytest.fixture
def every_size_is_memoized(monkeypatch):
    monkeypatch.setattr(sanitize, "MIN_STACK", 1)


@pytest.mark.usefixtures("every_size_is_memoized")
@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\r\n", "\r", "", "\r\r\n"])), max_size=12))
def test_cleaning_in_pieces_gives_the_same_as_cleaning_the_whole(lines):
    text = "".join(line + end for line, end in lines)

    assert sanitize.clean(text) == sanitize._clean(text)


DOCUMENTED = (
    "", "Message type:       ERROR", "Location:           /srv/a.py:7", "Module:             a", "Function:  f",
    "Time:               2026-11-22 17:03:11,5", "", "Message:", "", "Exception on /x [GET]",
)  # fmt: skip
OTHERS = [
    "  Location: x:1", "> Message type: ERROR", "Message: inline", "Time: 5",
    "Nov 22 17:03:11 web-1 shop[47]: Message type: x", "web-1  | Message type:       ERROR", "web-1  | x",
    "Django Version: 5", '{"message": "x"}', "level=error msg=x",
    "  ", "x", "Request: GET /x", "Request id: 7", "[2026-11-22 17:03:11,5] ERROR in a: b", "message type : warn",
    "[1] x", "Message type: \u00b2: 5", "Message:", "Location:", "Time:   \u2003", "Message type:", "Message:\t",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.integers(0, len(DOCUMENTED)),
    st.lists(st.tuples(st.integers(0, 14), st.sampled_from(OTHERS)), max_size=3),
    st.sampled_from(["", "", "  ", "> ", "web-1  | ", "Nov 22 17:03:11 web-1 shop[47]: "]),
    st.integers(0, 30),
    st.sampled_from(["", "\n", "\n\n"]),
)
def test_layout_from_the_first_lines_is_the_same_as_from_all_lines(first, others, margin, number, end):
    lines = [*DOCUMENTED[:first], *DOCUMENTED[first + 1 :]]
    for place, other in others:
        lines.insert(place, other)
    lines += ["Traceback (most recent call last):", *["    f(1)"] * number]
    text = "\n".join(margin + line for line in lines) + end

    lines, fields = syslog.strip_headers(text.split("\n"))
    slow = layouts.layout_of("Shop failed", line_prefix.strip_prefixes(lines))
    fast = layouts.read_documented(text)

    assert fast is None or fast == replace(slow, fields=fields | slow.fields)


def test_usual_mail_takes_the_fast_path():
    assert layouts.documented.read_standard("\n".join(DOCUMENTED))
    assert layouts._from_first_lines("\n".join([*DOCUMENTED, *["    f(1)"] * 20]))


INDENTED = st.lists(st.sampled_from(["  a\n", " \n", "    password = 'hunter2'\n", "\tb\n"]), max_size=12).map("".join)
TEXT = st.lists(st.one_of(INDENTED, st.sampled_from(["a\n", "\n", "b", "  c", "\n\t"])), max_size=6).map("".join)


@settings(max_examples=600, deadline=None)
@given(TEXT)
def test_stacks_are_found_where_the_pattern_finds_them(text):
    found = [(start, end) for start, end, _ in search._stacks(text, _DEFAULT._names)]

    assert found == [match.span(1) for match in search._STACK.finditer(text)]


# --- Marks of secrets -------------------------------------------------------------------------------------------------

CASES = [
    line
    for name in ("secrets.txt", "plain.txt")
    for line in (DATA / "redact" / name).read_text(encoding="utf-8").split("\n")
]
PIECES = st.lists(
    st.one_of(
        st.sampled_from(CASES), st.sampled_from(CASES).flatmap(lambda case: st.sampled_from(case.split() or [""]))
    ),
    min_size=1,
    max_size=3,
)


def test_every_case_with_a_secret_contains_a_mark():
    names = _DEFAULT._names

    for case in CASES:
        lower = case.replace("\u0130", "I").lower()
        assert not list(search._run_finders(case, lower, names)) or search._prefilter(names).search(lower.encode())


@settings(max_examples=300, deadline=None)
@given(
    PIECES,
    st.sampled_from([str, str.upper, str.title, lambda text: text.replace("k", "\u212a").replace("i", "\u0130")]),
)
def test_every_text_with_a_secret_contains_a_mark(pieces, changed):
    text, names = changed(" ".join(pieces)), _DEFAULT._names
    lower = text.replace("\u0130", "I").lower()

    assert not list(search._run_finders(text, lower, names)) or search._prefilter(names).search(lower.encode())


STACK = "".join(f'  File "/srv/a/b{number}.py", line {number}, in f\n    f(1)\n' for number in range(4))
NUMBERS = [
    "4111 1111 1111 1111",
    "card 378282246310005",
    "5555-5555-5555-4444",
    "4\u0661\u0661\u06611111111111111",
    "2026",
]
TRACES = st.lists(
    st.one_of(
        st.sampled_from([STACK, STACK, STACK.replace("f(1)", "password = 'hunter2hunter2'"), "\tg(1)\n", "  x\n", ""]),
        st.sampled_from([*CASES, *NUMBERS, "Traceback (most recent call last):", "KeyError: 7"]).map(
            lambda line: line + "\n"
        ),
    ),
    max_size=5,
).map("".join)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(NUMBERS), PIECES.map(" ".join), st.just("web")), max_size=3), TRACES)
def test_fast_check_misses_no_secret(texts, trace):
    names = _DEFAULT._names
    found = [secret for text in (*texts, trace) for secret in search.find_secrets(text, names)]

    assert not (found and search.has_no_secrets(texts, trace, names))


@pytest.mark.parametrize("trace", ["", f"Traceback (most recent call last):\n{STACK}shop.Lost: 7", f"x\n  y\n{STACK}"])
def test_fast_check_finds_nothing_in_usual_mails(trace):
    assert search.has_no_secrets(
        ["Shop failed", "Exception on /orders/1717 [GET]", "web", "2026-11-22 17:03:11,5"], trace, _DEFAULT._names
    )


@pytest.mark.parametrize("card", NUMBERS[:-1])
def test_fast_check_finds_card_numbers(card):
    assert not search.has_no_secrets([f"paid with {card}"], "", _DEFAULT._names)


@pytest.mark.parametrize("prefix", [prefix for prefixes, _ in redact.token_formats._BY_PREFIX for prefix in prefixes])
def test_every_token_format_has_a_mark(prefix):
    assert search._prefilter(_DEFAULT._names).search(f"{prefix}{'0123456789abcdef' * 4}".lower().encode())


def test_configured_names_have_a_mark():
    assert search._prefilter(Names(["PIN (new)"])).search(b"the pin (new)=1234")
