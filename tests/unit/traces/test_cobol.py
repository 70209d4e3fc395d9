"""Abends of z/OS and run-time errors of GnuCOBOL."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

ABEND = """CEE3204S The system detected a data exception (System Completion Code=0C7).
         From compile unit PAYROLL at entry point PAYCALC at statement 112 at compile unit offset +00000A3C.
IEF450I PAYBATCH STEP010 - ABEND=S0C7 U0000 REASON=00000000
"""
DUMP = """Module dump due to subscript of 'A' out of bounds: 7
 Last statement of SHOPCART was Line 13 of shop.cob

Dump Program-Id SHOPCART from shop.cob compiled Nov 30 2026 20:22:53

libcob: /srv/shop/shop.cob:13: error: subscript of 'A' out of bounds: 7
"""


def test_abend_has_the_condition_above_it_and_the_program():
    assert outline(ABEND) == [("S0C7", ["STEP010", "PAYCALC"])]
    assert read(ABEND).errors[0].message.startswith("The system detected a data exception")


@pytest.mark.parametrize(
    ("line", "type_", "place"),
    [
        ("IEF450I PAYROLL JOB1 STEP20 - ABEND=S0C7 U0000 REASON=00000007", "S0C7", "JOB1.STEP20 (PAYROLL)"),
        ("09.14.27 JOB22189  IEF450I BANK40P GO - ABEND=S000 U4038 REASON=00000001", "S000 U4038", "GO (BANK40P)"),
        ("IEF472I PAYROLL STEP20 - COMPLETION CODE - SYSTEM=806 USER=0000 REASON=4", "S806", "STEP20 (PAYROLL)"),
    ],
)
def test_messages_of_the_job_log_are_parsed(line, type_, place):
    error = read(f"job failed\n{line}\n").errors[0]

    assert (error.type, error.frames[0].place) == (type_, place)


def test_condition_without_an_abend_has_its_code():
    assert outline(ABEND.partition("IEF450I")[0]) == [("CEE3204S", ["PAYCALC"])]


def test_dump_of_gnucobol_names_the_program():
    assert outline(DUMP) == [("", ["SHOPCART"])]
    assert read(DUMP).errors[0].message == "subscript of 'A' out of bounds: 7"


@pytest.mark.parametrize(
    "text",
    [
        "12.30.11 lunch\nABEND is a German word\n",
        "Last statement of the bank was late\n",
        "From compile unit to test\n",
    ],
)
def test_similar_lines_are_no_traces(text):
    assert find(text) is None
