"""Facts about the request in the text of a mail: stored for people, not part of the fingerprint."""

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from relay.redact import redact
from tests.support.mails import TRACEBACK

BLOCK = """
Request:            GET https://shop.example/pay?order=17
Endpoint:           pay
Remote address:     203.0.113.7
User agent:         curl/8
Request id:         r-17
User:               42
"""
DOCUMENTED = f"""
Message type:       ERROR
Location:           /srv/shop/views.py:42
Module:             views
Function:           pay
Time:               2026-11-22 17:03:00,000

Message:

failed
{TRACEBACK}
"""
FACTS = (
    ("Request", "GET https://shop.example/pay?order=17"),
    ("Endpoint", "pay"),
    ("Remote address", "203.0.113.7"),
    ("User agent", "curl/8"),
    ("Request id", "r-17"),
    ("User", "42"),
)


def test_facts_before_the_documented_labels_are_read():
    report = parse_text("Failed", BLOCK + DOCUMENTED)

    assert report.request == FACTS
    assert report.message == "failed"


def test_facts_do_not_change_the_fingerprint():
    with_block, without = (redact(parse_text("Failed", text)) for text in (BLOCK + DOCUMENTED, DOCUMENTED))

    assert without.request == ()
    assert fingerprint(with_block).key == fingerprint(without).key


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("URL: https://shop.example/pay", ("Request", "https://shop.example/pay")),
        ("  > IP:   203.0.113.7", ("Remote address", "203.0.113.7")),
        ("user id = 42", ("User", "42")),
        ("User-Agent: curl/8", ("User agent", "curl/8")),
    ],
)
def test_alternative_labels_are_recognized(line, fact):
    assert parse_text("Failed", f"{line}\n{DOCUMENTED}").request == (fact,)


@pytest.mark.parametrize("line", ["Hello all:", "Request:", "Cookie: a=b", "the request: was bad", "User 42"])
def test_other_lines_are_no_facts(line):
    assert parse_text("Failed", f"{line}\n{DOCUMENTED}").request == ()


def test_message_cannot_add_facts():
    text = DOCUMENTED.replace("failed\n", "failed\nUser: root\nRequest: GET /forged\n")

    assert parse_text("Failed", BLOCK + text).request == FACTS
    assert parse_text("Failed", text).request == ()


def test_first_value_of_a_label_counts_and_is_bounded():
    [(_, value)] = parse_text("Failed", f"User: {'x' * 5000}\nUser: second\n{DOCUMENTED}").request

    assert value == "x" * 500


def test_facts_among_custom_labels_are_read():
    text = f"Logger: shop\nPID: 4711\nThread: worker-1\nRequest: GET /pay\nUser: 42\n\nfailed\n{TRACEBACK}"
    report = parse_text("Failed", text)

    assert (report.process, report.thread) == ("4711", "worker-1")
    assert report.request == (("Request", "GET /pay"), ("User", "42"))


def test_secret_in_a_fact_is_masked_there_and_in_the_message():
    block = "Request: GET https://anna:pw12345@shop.example/reset?token=hunter2hunter2\n"
    report = redact(parse_text("Failed", block + DOCUMENTED.replace("failed", "no reset by hunter2hunter2")))

    assert report.request == (("Request", "GET https://[masked]@shop.example/reset?token=[masked]"),)
    assert report.message == "no reset by [masked]"
