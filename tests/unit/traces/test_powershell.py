"""Error records of PowerShell: the long form up to 5.1, ConciseView, ScriptStackTrace."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

RECORD = r"""Get-Content : Cannot find path 'D:\exports\a5.csv' because it does
not exist.
At C:\jobs\shop\nightly.ps1:14 char:17
+ $rows = Get-Content $file
+         ~~~~~~~~~~~~~~~~~
    + CategoryInfo          : ObjectNotFound: (D:\exports\a5.csv:String) [Get-Content], ItemNotFoundException
    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetContentCommand
"""
CONCISE = """Get-Content: /srv/jobs/shop/nightly.ps1:14
Line |
  14 |  $rows = Get-Content $file
     |          ~~~~~~~~~~~~~~~~~
     | Cannot find path '/exports/a5.csv' because it does not exist.
"""
STACK = r"""no cart 5
at Get-Rows, C:\jobs\shop\rows.psm1: line 14
at <ScriptBlock>, C:\jobs\shop\nightly.ps1: line 30
at <ScriptBlock>, <No file>: line 1
"""


def test_exception_command_and_file_of_a_record_are_parsed():
    error = read(RECORD).errors[0]

    assert (error.type, [frame.place for frame in error.frames]) == (
        "ItemNotFoundException",
        ["Get-Content (shop/nightly.ps1)"],
    )
    assert error.message == r"Cannot find path 'D:\exports\a5.csv' because it does not exist."


@pytest.mark.parametrize(
    "place", [r"In C:\jobs\shop\nightly.ps1:14 Zeichen:17", r"Au caractère C:\jobs\shop\nightly.ps1:14 : 17"]
)
def test_place_is_parsed_in_other_languages_of_windows(place):
    assert read(RECORD.replace(r"At C:\jobs\shop\nightly.ps1:14 char:17", place)).errors == read(RECORD).errors


def test_wrapped_category_is_joined():
    text = RECORD.replace(" ItemNotFoundException", "\n   ItemNotFoundException")

    assert read(text).errors[0].type == "ItemNotFoundException"


def test_stack_below_a_record_gives_its_frames():
    text = f"{RECORD}\n{STACK.partition(chr(10))[2]}"

    assert outline(text) == [("ItemNotFoundException", ["<ScriptBlock>", "<ScriptBlock>", "Get-Rows"])]


def test_concise_view_is_parsed():
    error = read(CONCISE).errors[0]

    assert [frame.place for frame in error.frames] == ["Get-Content (shop/nightly.ps1)"]
    assert error.message == "Cannot find path '/exports/a5.csv' because it does not exist."


def test_script_stack_trace_is_parsed_with_the_line_above_as_its_message():
    assert outline(STACK) == [("", ["<ScriptBlock>", "<ScriptBlock>", "Get-Rows"])]
    assert read(STACK).errors[0].message == "no cart 5"


@pytest.mark.parametrize(
    "text", ["Line |\n1 | Oslo\n", "a\n+ CategoryInfo of the shop\n", "meet\nat Ada, Oslo: line 3\n"]
)
def test_similar_lines_are_no_traces(text):
    assert find(text) is None
