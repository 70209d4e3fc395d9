"""Untrusted text on a screen: one line, no control characters, cut and padded to columns."""

from hypothesis import given
from hypothesis import strategies as st

from relay.text import columns, cut_inside, cut_lines, one_line, padded, plain


def test_plain_makes_dangerous_characters_visible():
    hostile = "a\x1b[2Jb\u202egnp.exe\u2066\ud800\x00\r\nc\u2028d\x85e\tf"

    assert plain(hostile) == "a\\x1b[2Jb\\u202egnp.exe\\u2066\\ud800\\x00\nc\nd\ne\tf"


@given(st.text(st.characters()))
def test_one_line_is_one_line_that_can_be_encoded(text):
    line = one_line(text, 50)

    assert len(line) <= 50
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line
    assert all(char.isprintable() or char.isspace() or not char.isascii() for char in line)


def test_cut_inside_keeps_both_ends():
    cut = cut_inside("a" * 100 + "b" * 100, 60)

    assert len(cut) == 60
    assert cut.startswith("aaa")
    assert cut.endswith("bbb")
    assert "…" in cut


def test_cut_lines_keeps_head_and_end_and_counts_what_is_gone():
    text = "\n".join(f"line {n}" for n in range(1, 101))

    cut = cut_lines(text, 6, head=2, width=80).split("\n")

    assert cut == ["line 1", "line 2", "… 95 lines left out …", "line 98", "line 99", "line 100"]


def test_cut_lines_leaves_a_text_that_fits_alone():
    assert cut_lines("\na\n  b\n", 2, head=1, width=80) == "a\n  b"


def test_padded_counts_columns_not_characters():
    assert padded("日本", 6) == "日本  "
    assert columns(padded("日本語のエラー", 8)) == 8


@given(st.text(max_size=40), st.integers(1, 30))
def test_padded_is_as_wide_as_asked(text, width):
    assert columns(padded(text, width)) == width
