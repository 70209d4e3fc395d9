"""Errors that Clojure's command line reports."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

TEXT = """Execution error ({type}) at shop.cart/{place} (cart.clj:2).
cart gone

Full report at:
/tmp/clojure-13270209747031777852.edn
"""


def test_type_message_and_function_are_parsed():
    text = TEXT.format(type="ExceptionInfo", place="price")

    assert outline(text) == [("ExceptionInfo", ["price"])]
    assert read(text).errors[0].message == "cart gone"


def test_number_of_an_evaluated_form_does_not_count():
    one, other = (TEXT.format(type="ArithmeticException", place=f"eval{number}") for number in (149, 151))

    assert read(one).errors == read(other).errors


@pytest.mark.parametrize("text", ["Syntax error at line 3\nno\n", "Unexpected error (again) at the shop.\nno\n"])
def test_other_errors_are_no_traces(text):
    assert find(text) is None
