"""Every parser of the relay keeps its guarantees with any input: generated here, or found by `make fuzz`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.endurance.fuzz import HARNESSES
from tests.support.paths import DATA

FRAGMENTS = [
    b"\r\n", b"\n", b"\r\n\r\n", b"\0", b"\xff", b"\xed\xa0\x80", b"--b\r\n", b"--b--\r\n", b"=?utf-8?q?=0D=0A?=",
    b"=\r\n", b"Subject: ", b"From: <a@b>\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: text/html\r\n", b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16",
    b"X-Error-Mail-Client: 1\r\n", b"X-Error-Mail-Count: 9\r\n",
    b"Content-Type: application/vnd.error-mail+json\r\n", b'{"version":1,"host":"', b'"exceptions":[{"frames":[',
    b"}]}", b"Traceback (most recent call last):\n", b'  File "a.py", line 7, in f\n', b'  File "a.py", line 7, x\n',
    b"    f()\n", b"ValueError: x\n", b"Caused by: ", b"\tat a.B.c(B.java:1)\n", b"password=hunter2hunter2 ",
    b"<script>", b"{{ x }}", b"\x1b[2J", b"\xe2\x80\xae", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<a@b>\r\n", b"DATA\r\n",
    b".\r\n", b"AUTH PLAIN ", b"STARTTLS\r\n", b"RSET\r\n", b"PROXY TCP4 ", b"\xf5\x9cM\x1e", b"EMRSPOOL",
    b"[[rule]]\n", b"name = ", b'"*[a"\n', b"'", b'"', b"[", b"9" * 5_000,
]  # fmt: skip
"""Fragments that lead into the parsers; random bytes alone seldom do."""

ANYTHING = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=12), max_size=40).map(b"".join) | st.binary(
    max_size=300
)


def harness(name: str) -> Callable[[bytes], None]:
    check: Callable[[bytes], None] = importlib.import_module(f"tests.endurance.fuzzing.{name}").check
    return check


def corpus_files(name: str) -> list[Path]:
    return sorted((DATA / "fuzz" / name).iterdir())


@pytest.mark.parametrize("name", HARNESSES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=ANYTHING)
def test_any_bytes_keep_every_guarantee(name, data):
    harness(name)(data)


@pytest.mark.parametrize(
    "file",
    [file for name in HARNESSES for file in corpus_files(name)],
    ids=lambda file: f"{file.parent.name}-{file.name}",
)
def test_earlier_findings_stay_fixed(file):
    harness(file.parent.name)(file.read_bytes())


@pytest.mark.parametrize("name", HARNESSES)
def test_every_harness_has_a_seed_corpus(name):
    assert corpus_files(name)
