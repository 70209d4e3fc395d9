"""Clean texts: no control characters, no lone surrogates, one kind of line end."""

from relay.parse.mime import one_line, read
from tests.support.mails import raw


def test_control_characters_are_removed_and_line_ends_normalized():
    body = "one\r\ntwo\rthree\u2028four\x00\x07\x1b[31m red\x1b[0m\ttab \u202eevil\x85five".encode()

    text = read(raw('Content-Type: text/plain; charset="utf-8"', body)).text

    assert text == "one\ntwo\nthree\nfour red\ttab evil\nfive"


def test_lone_surrogate_is_replaced():
    """UTF-7 can encode a lone surrogate, and no database or file can store it as UTF-8."""
    text = read(raw("Content-Type: text/plain; charset=utf-7", b"x +2AA- y")).text

    assert text.encode("utf-8").decode() == "x \ufffd y"


def test_one_line_gives_a_single_bounded_line():
    assert one_line(" a\r\n b\tc\x00 ", 10) == "a b c"
    assert one_line("abcdef", 3) == "abc"
