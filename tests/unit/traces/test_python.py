"""Python: chains, groups, recursions, traces that are cut, and the fast path of ordinary ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import CUT_MARKER
from relay.traces import find, python
from relay.traces.frames import CUT_MARKER_PREFIX
from tests.support.printed_traces import outline, printed, read

PYTHON = printed("python-3.13.txt")


def test_python_frames_types_and_messages():
    trace = read(PYTHON["plain"])

    assert (trace.language, trace.start, trace.errors[0].type) == ("Python", 0, "ZeroDivisionError")
    assert trace.errors[0].message == "division by zero"
    assert [frame.place for frame in trace.errors[0].frames] == [
        "show (run.py)", "<lambda> (run.py)", "daily (tide/report.py)", "mean (tide/gauge.py)"
    ]  # fmt: skip


def test_python_chains_are_read_from_the_cause_to_what_was_reported():
    assert outline(PYTHON["cause"]) == [
        ("ValueError", ["checked", "table", "levels", "level"]),
        ("tide.gauge.ReadingError", ["show", "<lambda>", "checked"]),
    ]
    assert [type_ for type_, _ in outline(PYTHON["context"])] == ["ValueError", "KeyError"]


def test_frames_of_comprehensions_are_left_out():
    """Python 3.12 has none any more (PEP 709)."""
    assert "<listcomp>" in printed("python-3.8.txt")["cause"]
    assert outline(printed("python-3.8.txt")["cause"]) == outline(PYTHON["cause"])


def test_a_recursion_counts_once_however_deep_it_is():
    assert outline(PYTHON["recursion"]) == [("RecursionError", ["show", "ring", "highest"])]
    assert len(read(printed("python-2.7.txt")["recursion"]).errors[0].frames) > 50


def test_a_syntax_error_is_placed_in_its_file():
    error = read(PYTHON["syntax"]).errors[0]

    assert (error.type, error.message) == ("SyntaxError", "invalid syntax")
    assert error.frames[-1].file == "rules/night.rule"


def test_a_trace_from_a_pool_is_part_of_the_chain():
    assert outline(PYTHON["pool"]) == [
        ("ZeroDivisionError", ["daily", "mean"]),
        ("ZeroDivisionError", ["show", "in_pool"]),
    ]


def test_the_members_of_a_group_are_told_apart_from_it():
    errors = read(PYTHON["group"]).errors

    assert [(error.type, error.member) for error in errors] == [
        ("ExceptionGroup", False), ("ZeroDivisionError", True), ("ZeroDivisionError", True), ("KeyError", True)
    ]  # fmt: skip


def test_a_note_belongs_to_the_trace():
    text = f"Totals failed\n{PYTHON['note']}\n\nRegards"
    trace = read(text)

    lines = text[trace.start : trace.end].split("\n")
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "station: Husum"


def test_a_trace_whose_beginning_is_cut_off_is_read_from_its_first_frame():
    text = PYTHON["plain"].split("\n", 1)[1]

    assert outline(text) == outline(PYTHON["plain"])


def test_a_trace_whose_end_is_cut_off_has_no_type():
    assert outline(PYTHON["plain"].rsplit("ZeroDivisionError", 1)[0])[0][0] == ""


def test_a_trace_goes_on_behind_the_middle_that_was_left_out():
    marker = (CUT_MARKER % 4711).decode().strip("\r\n")
    assert marker.startswith(CUT_MARKER_PREFIX)
    before, _, after = PYTHON["recursion"].partition("  [Previous")

    text = f'{before}{marker}\nle["next"]))\n  [Previous{after}'

    assert outline(text) == outline(PYTHON["recursion"])
    assert read(text).end == len(text.rstrip())


def test_lost_indentation_makes_no_difference():
    flat = "\n".join(line.lstrip() for line in printed("python-3.8.txt")["plain"].split("\n"))

    assert outline(flat) == outline(PYTHON["plain"])


@pytest.mark.parametrize(
    "text",
    [
        "It broke.",
        'Upload of File "data.csv" in bucket 7 failed',
        'File "data.csv" in bucket 7',
        "Traceback (most recent call last):",
        "Traceback (most recent call last):\n  None\n",
        "look at my goroutine and my panic: now",
        "meet\n    at the shop (main:1)\n",
    ],
)
def test_what_only_looks_like_a_trace_is_none(text):
    assert find(text) is None


PYTHONS = [*"\n".join(PYTHON.values()).split("\n"), CUT_MARKER_PREFIX, "Exception Value: x", "x", ""]
INDENTED = st.lists(st.sampled_from([line for line in PYTHONS if line[:1] == " "]), min_size=8, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["Traceback (most recent call last):", "a.Error: b"]),
            INDENTED.map("\n".join),
            st.sampled_from(PYTHONS),
        ),
        max_size=12,
    ),
    st.sampled_from(["", "  "]),
)
def test_a_python_stack_taken_as_one_is_read_like_its_lines(parts, margin):
    text = "\n".join(margin + part for part in parts)

    assert python.read(text) == python._read(text.split("\n"), 0)


PLAIN = "Traceback (most recent call last):"
CALLS = [
    '  File "/srv/a.py", line 1, in f',
    "    f(1)",
    '\t  File "b.py", line 2, in <listcomp>',
    "   ",
    "  x.Error: y",
]
AFTER = [
    "a.Error: b", "KeyError: 'k'", "Error", "12 is no type", "goes on", "", "", "  indented", "\ttab", " ",
    CUT_MARKER_PREFIX,
    PLAIN, "The above exception was the direct cause of the following exception:", "Exception Value: x",
    "Exception Type: E",
    "During handling of the above exception (x), another exception occurred:", "Exception Value: ", "b.Error: ",
    "a.Error: b  ", "builtins.KeyError: 1", "__main__.E: \u2028x", "\u00a0a.Error: b",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(["before", "", "  indented", "x: y"]), max_size=2),
    st.lists(st.sampled_from(CALLS), max_size=11),
    st.lists(st.sampled_from(AFTER), max_size=5),
    st.sampled_from(["", "", "\n", "\n\n", "\n ", "\n\t"]),
)
def test_a_plain_python_trace_is_read_like_any_other(before, calls, after, end):
    text = "\n".join([*before, PLAIN, *calls, *after]) + end

    assert python.read(text) == python._read(text.split("\n"), 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CALLS[:2]), max_size=9), st.lists(st.sampled_from(AFTER), max_size=5))
def test_a_plain_trace_by_itself_is_known_again_as_it_would_be_read(calls, after):
    text = "\n".join(["before", PLAIN, CALLS[0], *calls, "a.Error: b", *after, ""])
    found = python.read(text)

    assert found
    alone = text[found.start : found.end]
    known = python.read(alone)

    python._last_trace[0] = ("", None)
    assert known == python.read(alone) == python._read(alone.split("\n"), 0)


def test_an_ordinary_trace_is_taken_for_plain():
    assert python._plain("\n".join(["before", PLAIN, *CALLS[:2], "a.Error: b", "more", "", "below"]), len("before\n"))
