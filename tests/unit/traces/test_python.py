"""Tracebacks of Python: chains, groups, recursions, cut traces, and the fast path for the usual trace."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import CUT_MARKER
from relay.traces import find, python
from relay.traces.frames import CUT_MARKER_PREFIX
from tests.support.printed_traces import outline, printed, read

PYTHON = printed("python-3.13.txt")


def test_frames_type_and_message_are_parsed():
    trace = read(PYTHON["plain"])

    assert (trace.language, trace.start, trace.errors[0].type) == ("Python", 0, "ZeroDivisionError")
    assert trace.errors[0].message == "division by zero"
    assert [frame.place for frame in trace.errors[0].frames] == [
        "show (run.py)", "<lambda> (run.py)", "daily (tide/report.py)", "mean (tide/gauge.py)"
    ]  # fmt: skip


def test_chain_goes_from_the_cause_to_the_reported_error():
    assert outline(PYTHON["cause"]) == [
        ("ValueError", ["checked", "table", "levels", "level"]),
        ("tide.gauge.ReadingError", ["show", "<lambda>", "checked"]),
    ]
    assert [type_ for type_, _ in outline(PYTHON["context"])] == ["ValueError", "KeyError"]


def test_frames_of_comprehensions_are_left_out():
    """Since Python 3.12 there are no such frames (PEP 709)."""
    assert "<listcomp>" in printed("python-3.8.txt")["cause"]
    assert outline(printed("python-3.8.txt")["cause"]) == outline(PYTHON["cause"])


def test_frames_of_a_recursion_count_once():
    assert outline(PYTHON["recursion"]) == [("RecursionError", ["show", "ring", "highest"])]
    assert len(read(printed("python-2.7.txt")["recursion"]).errors[0].frames) > 50


def test_syntax_error_has_a_frame_in_its_file():
    error = read(PYTHON["syntax"]).errors[0]

    assert (error.type, error.message) == ("SyntaxError", "invalid syntax")
    assert error.frames[-1].file == "rules/night.rule"


def test_trace_of_a_pool_worker_is_part_of_the_chain():
    assert outline(PYTHON["pool"]) == [
        ("ZeroDivisionError", ["daily", "mean"]),
        ("ZeroDivisionError", ["show", "in_pool"]),
    ]


def test_members_of_an_exception_group_are_marked():
    errors = read(PYTHON["group"]).errors

    assert [(error.type, error.member) for error in errors] == [
        ("ExceptionGroup", False), ("ZeroDivisionError", True), ("ZeroDivisionError", True), ("KeyError", True)
    ]  # fmt: skip


def test_note_is_part_of_the_trace():
    text = f"Totals failed\n{PYTHON['note']}\n\nRegards"
    trace = read(text)

    lines = text[trace.start : trace.end].split("\n")
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "station: Husum"


def test_trace_without_its_beginning_starts_at_its_first_frame():
    text = PYTHON["plain"].split("\n", 1)[1]

    assert outline(text) == outline(PYTHON["plain"])


def test_trace_without_its_end_has_no_type():
    assert outline(PYTHON["plain"].rsplit("ZeroDivisionError", 1)[0])[0][0] == ""


def test_trace_continues_after_the_cut_marker():
    marker = (CUT_MARKER % 4711).decode().strip("\r\n")
    assert marker.startswith(CUT_MARKER_PREFIX)
    before, _, after = PYTHON["recursion"].partition("  [Previous")

    text = f'{before}{marker}\nle["next"]))\n  [Previous{after}'

    assert outline(text) == outline(PYTHON["recursion"])
    assert read(text).end == len(text.rstrip())


def test_trace_without_indentation_is_parsed():
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
def test_text_that_resembles_a_trace_is_no_trace(text):
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
def test_folded_stack_is_parsed_like_its_lines(parts, margin):
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
def test_fast_path_gives_the_same_as_parsing_line_by_line(before, calls, after, end):
    text = "\n".join([*before, PLAIN, *calls, *after]) + end

    assert python.read(text) == python._read(text.split("\n"), 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CALLS[:2]), max_size=9), st.lists(st.sampled_from(AFTER), max_size=5))
def test_remembered_trace_is_the_same_as_a_parsed_one(calls, after):
    text = "\n".join(["before", PLAIN, CALLS[0], *calls, "a.Error: b", *after, ""])
    found = python.read(text)

    assert found
    alone = text[found.start : found.end]
    remembered = python.read(alone)

    python._last_trace[0] = ("", None)
    assert remembered == python.read(alone) == python._read(alone.split("\n"), 0)


def test_usual_trace_takes_the_fast_path():
    assert python._plain("\n".join(["before", PLAIN, *CALLS[:2], "a.Error: b", "more", "", "below"]), len("before\n"))
