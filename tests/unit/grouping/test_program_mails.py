"""Mails of 120 real programs are the same error or another one, with the right title and level (tests/data/senders)."""

import pytest

from tests.support.program_mails import ERRORS, FOLDER, KNOWN_WRONG, faults_of


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_mails_of_a_program_are_read_right_or_have_exactly_the_listed_faults(error):
    assert faults_of(error) == KNOWN_WRONG.get(error.name, frozenset())


def test_every_mail_has_an_answer():
    answered = [mail for error in ERRORS for mail in error.mails]

    assert sorted(answered) == sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.glob("*/*.eml"))


def test_the_list_of_faults_names_only_errors_that_have_mails():
    assert KNOWN_WRONG.keys() <= {error.name for error in ERRORS}


def test_each_error_has_one_answer():
    assert len({error.name for error in ERRORS}) == len(ERRORS)
