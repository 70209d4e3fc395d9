"""Traces of .NET, Mono and .NET Framework, also in the languages of Windows."""

import pytest

from relay.traces import relevant_frames
from tests.support.printed_traces import outline, read

DOTNET = """System.InvalidOperationException: Order 5 failed
 ---> System.FormatException: Input string was not in a correct format.
   at System.Number.ThrowOverflowOrFormatException(ParsingStatus status)
   at Shop.Cart.Parse(String text) in /src/Shop/Cart.cs:line 12
   --- End of inner exception stack trace ---
   at Shop.Cart.<TotalAsync>d__5.MoveNext() in /src/Shop/Cart.cs:line 20
--- End of stack trace from previous location where exception was thrown ---
   at System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw()
   at Shop.CartController.<>c__DisplayClass3_0.<Show>b__0(Order order)
"""


def test_inner_exceptions_async_methods_and_lambdas_are_parsed():
    assert outline(DOTNET) == [
        ("System.FormatException", ["Parse"]),
        ("System.InvalidOperationException", ["Show", "TotalAsync"]),
    ]


def test_traces_of_mono_are_parsed():
    text = (
        "Unhandled Exception:\nShop.CartException: Cart 7 ---> System.FormatException: bad\n"
        "  at System.Int32.Parse (System.String s) [0x00019] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n"
        "  at Shop.Cart`1+<Total>c__AnonStorey2[TItem].<>m__0 (System.String s) [0x0002d] in /src/Cart.cs:40 \n"
        "   --- End of inner exception stack trace ---\n"
        "  at Shop.Cart`1[TItem].Total (System.Collections.Generic.List`1[T] items) [0x00075] in /src/Cart.cs:91 \n"
        "  at (wrapper runtime-invoke) Shop.Program.Main () [0x00000] in /src/Cart.cs:9 <---\n"
    )

    assert outline(text) == [("System.FormatException", ["Total"]), ("Shop.CartException", ["Main", "Total"])]
    assert {frame.file for frame in relevant_frames(read(text))[0]} == {"Shop.Cart"}


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ("bei", "in C:\\src\\Cart.cs:Zeile 12."),
        ("à", "dans C:\\src\\Cart.cs:ligne 12"),
        ("в", "в C:\\Cart.cs:строка 12"),
    ],
)
def test_traces_of_net_framework_in_other_languages_are_parsed(at, place):
    text = (
        f"System.ArgumentException: nein\n   {at} System.X.Throw(String s)\n   {at} Shop.Cart.Add(String key) {place}\n"
    )

    assert outline(text) == [("System.ArgumentException", ["Add"])]


def test_message_of_an_aggregate_exception_leaves_out_its_members():
    head = "System.AggregateException: One or more errors occurred. (no 5)"
    rest = " ---> Shop.Lost: no 5\n   at Shop.Cart.Add(String a)\n"

    assert read(head + rest).errors == read(f"{head} (no 7) (no 8){rest}").errors


def test_chain_on_one_line_is_parsed():
    text = (
        "Unhandled Exception: Shop.CartException: Cart 7 ---> System.ArgumentNullException: Value cannot be null.\n"
        "   at Shop.Cart.Total(Order order)\n   --- End of inner exception stack trace ---\n   at Shop.Program.Main()\n"
    )

    assert outline(text) == [("System.ArgumentNullException", ["Total"]), ("Shop.CartException", ["Main"])]


def test_mono_wrappers_and_arguments_without_names_do_not_end_a_trace():
    text = (
        "System.IO.IOException: no 5\n  at (wrapper remoting-invoke-with-check) System.IO.File..ctor(string,int,bool)\n"
        "  at Shop.Cart.Open(System.String)\n  at Shop.Web.Main(System.String[])"
    )

    assert [frame.function for frame in read(text).errors[0].frames] == ["Main", "Open", "ctor"]
