"""The rest of a mail below its message, and a subject that says something else."""

from dataclasses import replace

import pytest

from relay.compose.context import MAX_LINES, rest_of, telling_subject
from relay.model import Form
from relay.parse.report import parse_text

REPORT = replace(parse_text("Nightly job", "x"), message="disk full\nstop", trace="", app="job")


def test_rest_has_the_lines_that_are_not_in_the_message():
    report = replace(REPORT, text="Hi,\n\ndisk full\n  stop\n\n\nserver: web-1\n")

    assert rest_of(report) == "Hi,\n\nserver: web-1"


@pytest.mark.parametrize("text", ["", "disk full\nstop", "\n\n disk full\n"])
def test_mail_that_is_all_message_has_no_rest(text):
    assert rest_of(replace(REPORT, text=text)) == ""


def test_rest_is_bounded():
    text = "\n".join(f"line {number}" for number in range(10_000))

    assert len(rest_of(replace(REPORT, text=text)).split("\n")) == MAX_LINES


def test_subject_that_says_more_than_app_and_message_is_shown():
    assert telling_subject(REPORT) == "Nightly job"


@pytest.mark.parametrize(
    "changed",
    [{"subject": ""}, {"app": "Nightly job"}, {"message": "Nightly job: disk full"}, {"form": Form.CLIENT}],
    ids=["none", "the app", "in the message", "repeats the error"],
)
def test_subject_that_says_nothing_new_is_left_out(changed):
    assert telling_subject(replace(REPORT, **changed)) == ""
