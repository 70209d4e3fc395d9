"""Paths of MAIL and RCPT: any text can be parsed, in time linear in its length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.receive.path import parse_path


@pytest.mark.parametrize(
    "argument", ["FROM:<" + "a." * 500_000, "FROM:<@" + "a,@" * 300_000, 'FROM:<"' + "\\" * 999_999]
)
def test_malformed_path_costs_time_in_proportion_to_its_length(argument):
    began = time.process_time()

    assert parse_path(argument, "FROM") is None
    assert time.process_time() - began < 1


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text):
    path = parse_path("TO:" + text, "TO")

    assert path is None or not set(path.address) & set("\r\n\0")
