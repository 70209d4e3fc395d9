"""Tracebacks in colours: which parts get a span, and that the text itself never changes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from relay.compose.highlight import MAX_LENGTH, highlight
from tests.support.digests import TRACE


def without_spans(html: str) -> str:
    return Markup(re.sub(r'<span class="[a-z]">|</span>', "", html)).unescape()


def test_exception_keyword_and_line_number_are_coloured():
    html = highlight(TRACE)

    assert '<span class="e">ZeroDivisionError</span>: division by zero' in html
    assert '<span class="k">for</span> item in cart' in html
    assert 'line <span class="n">118</span>, in checkout' in html


def test_line_of_markers_is_one_span_with_its_line_end():
    """So that the style for phones can hide it without an empty line."""
    assert '<span class="m">               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n</span>' in highlight(TRACE)


def test_mark_of_omitted_lines_does_not_change_the_colours_of_the_rest():
    head, tail = TRACE.splitlines()[:2], TRACE.splitlines()[-4:]

    html = highlight("\n".join([*head, "… 9 lines left out …", "  [Previous line repeated 3 more times]", *tail]))

    assert '<span class="c">… 9 lines left out …' in html
    assert '<span class="e">ZeroDivisionError</span>' in html


def test_text_without_the_spans_is_unchanged():
    assert without_spans(highlight(TRACE)) == TRACE


def test_html_in_a_trace_is_escaped():
    html = highlight(TRACE.replace("division by zero", '<script>alert("1")</script>'))

    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_text_that_looks_like_a_span_is_escaped():
    html = highlight('Traceback (most recent call last):\n    <span class="m">^^^</span>\n')

    assert "&lt;span class=" in html
    assert 'class="m"' not in html


def test_very_long_traces_and_traces_of_other_languages_are_only_escaped():
    huge, java = TRACE + "x" * MAX_LENGTH, "java.lang.NullPointerException\n\tat a.b(C.java:3) <init>"

    assert "<span" not in highlight(huge)
    assert highlight(java) == java.replace("<", "&lt;").replace(">", "&gt;")


def test_trace_that_ends_with_markers_has_complete_spans():
    cut_short = TRACE.partition("ZeroDivisionError")[0].rstrip("\n")

    assert without_spans(highlight(cut_short)) == cut_short


@pytest.mark.parametrize("rest", [", x", " in f", "x", ", in "])
def test_trace_on_which_the_lexer_gets_stuck_is_only_escaped(rest):
    """Pygments yields empty tokens there without end, and its memory grows."""
    odd = f'{TRACE}  File "a.py", line 7{rest}\n<b>\n'

    assert without_spans(highlight(odd)) == odd
    assert "<b>" not in highlight(odd)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300))
def test_any_text_is_unchanged_without_the_spans(text):
    trace = f"Traceback (most recent call last):\n{text}"

    assert trace == without_spans(highlight(trace))
