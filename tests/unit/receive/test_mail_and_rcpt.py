"""Paths of MAIL and RCPT: any text can be parsed, in time linear in its length."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.receive.mail_and_rcpt import parse_path


@pytest.mark.parametrize(
    "argument",
    [
        "FROM:<" + "a." * 500_000,
        "FROM:<@" + "a,@" * 300_000,
        'FROM:<"' + "\\" * 999_999,
        'FROM:<"' + '"a' * 500_000,
        "FROM:" + "<a" * 500_000,
        "FROM:" + "a@b>" * 250_000,
        "FROM:<a> " + "SIZE=1 " * 150_000 + "\0",
        "FROM:a " + "SIZE=1 " * 150_000 + "=",
        "FROM:" + "a " * 500_000 + "<",
    ],
)
def test_malformed_path_costs_time_in_proportion_to_its_length(argument):
    began = time.process_time()
    parse_path(argument, "FROM")

    assert time.process_time() - began < 1


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_path_is_refused_only_for_control_characters_and_emptiness(text):
    controls = any(unicodedata.category(char) == "Cc" and char != "\t" for char in text)
    path = parse_path("TO:" + text, "TO")

    if path is None:
        assert controls or "\t" in text or not text.strip(" \t<")
    else:
        assert not controls
        assert not set(path.address) & set("\r\n\t\0")
