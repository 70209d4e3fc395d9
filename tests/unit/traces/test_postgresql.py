"""Errors of PostgreSQL with the functions in their context."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

ERROR = """ERROR:  division by zero
CONTEXT:  PL/pgSQL function shop.total(integer,numeric(5,2)) line 3 at RETURN
SQL statement "SELECT shop.total(5, 2)
  FROM carts"
PL/pgSQL function run() line 5 at PERFORM
STATEMENT:  SELECT run()
"""


def test_functions_of_the_context_are_the_frames():
    assert outline(ERROR) == [("", ["run", "shop.total"])]
    assert read(ERROR).errors[0].message == "division by zero"
    assert ERROR[: read(ERROR).end].endswith("PERFORM")


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        (
            "FEHLER:  Division durch Null\nKONTEXT:  PL/pgSQL-Funktion total(integer) Zeile 3 bei RETURN\n",
            ["total"],
        ),
        (
            "[71] ERROR:  22012: no\n[71] CONTEXT:  PL/pgSQL function total(integer) line 3 at RETURN\n",
            ["total"],
        ),
        ('psql:a.sql:3: ERROR:  no\nCONTEXT:  SQL function "total" statement 1\n', ["total"]),
    ],
)
def test_other_languages_logs_and_sql_functions_are_parsed(text, functions):
    assert [frame.function for frame in read(text).errors[0].frames] == functions


@pytest.mark.parametrize(
    "text",
    [
        "ERROR:  bad line\nCONTEXT:  COPY carts, line 5, column price\n",
        "Context\nCONTEXT:  PL/pgSQL is a language\n",
        "CONTEXT:  PL/pgSQL function total(integer) line 3 at RETURN\n",
    ],
)
def test_context_without_an_error_or_a_function_is_no_trace(text):
    assert find(text) is None
