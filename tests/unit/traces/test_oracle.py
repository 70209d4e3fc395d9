"""Error stacks of Oracle."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

STACK = """BEGIN shop.run; END;

*
ERROR at line 1:
ORA-20001: cart 5 is gone
ORA-06512: at "SHOP.CART", line 12
ORA-01403: no data found
ORA-06512: at "SYS.DBMS_SQL", line 1721
ORA-06512: at "SHOP.RUN", line 3
ORA-06512: at line 1


"""


def test_units_are_the_frames_and_the_first_error_is_the_reported_one():
    assert outline(STACK) == [("ORA-01403", ["SHOP.RUN"]), ("ORA-20001", ["SHOP.CART"])]
    assert read(STACK).errors[-1].message == "cart 5 is gone"
    assert STACK[read(STACK).start :].startswith("ORA-20001")
    assert STACK[: read(STACK).end].endswith("ORA-06512: at line 1")


def test_stack_in_german_is_parsed():
    text = (
        'FEHLER in Zeile 1:\nORA-20001: Warenkorb fehlt\nORA-06512: in "SHOP.CART", Zeile 12\nORA-06512: in Zeile 1\n'
    )

    assert outline(text) == [("ORA-20001", ["SHOP.CART"])]


@pytest.mark.parametrize(
    "text",
    [
        "ERROR at line 1:\nORA-00942: table or view does not exist\n",
        "DECLARE\n*\nERROR at line 1:\nORA-06532: Subscript outside of limit\nORA-06512: at line 9\n",
    ],
)
def test_error_without_a_unit_is_no_trace(text):
    assert find(text) is None
