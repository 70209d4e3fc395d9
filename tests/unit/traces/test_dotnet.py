"""Traces of .NET, Mono and .NET Framework, also in the languages of Windows."""

import pytest

from relay.traces import find, relevant_frames
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


LOCALIZED = {
    # language: Word_At, StackTrace_InFileLineNumber, end of the inner exception, end of the previous location
    "en": ("at", "in {}:line 12", "End of inner exception stack trace", "End of stack trace from previous location"),
    "de": (
        "bei",
        "in {}:Zeile 12.",
        "Ende der internen Ausnahmestapelüberwachung",
        "Ende der Stapelüberwachung vom vorhergehenden Ort, an dem die Ausnahme ausgelöst wurde",
    ),
    "fr": (
        "à",
        "dans {}:ligne 12",
        "Fin de la trace de la pile d'exception interne",
        "Fin de la trace de la pile à partir de l'emplacement précédent au niveau duquel l'exception a été levée",
    ),
    "es": (
        "en",
        "en {}:línea 12",
        "Fin del seguimiento de la pila de la excepción interna",
        "Fin del seguimiento de la pila de la ubicación anterior donde se produjo la excepción",
    ),
    "it": ("in", "in {}:riga 12", "Fine della traccia dello stack dell'eccezione interna", "Fine di un'altra traccia"),
    "pt-BR": ("em", "na {}:linha 12", "Fim do rastreamento de pilha de exceção interna", "Fim de outra coisa"),
    "ru": (
        "в",
        "в {}:строка 12",
        "Конец трассировки внутреннего стека исключений",
        "Конец трассировка стека из предыдущего расположения, где возникло исключение",
    ),
    "zh-Hans": ("在", "位置 {}:行号 12", "内部异常堆栈跟踪的结尾", "引发异常的上一位置中堆栈跟踪的末尾"),
    "zh-Hant": ("於", "於 {}: 行 12", "內部例外狀況堆疊追蹤的結尾", "先前擲回例外狀況之位置中的堆疊追蹤結尾"),
    "ja": (
        "場所",
        "場所 {}:行 12",
        "内部例外スタック トレースの終わり",
        "直前に例外がスローされた場所からのスタック トレースの終わり",
    ),
    "ko": ("위치:", "파일 {}:줄 12", "내부 예외 스택 추적의 끝", "예외가 throw된 이전 위치의 스택 추적 끝"),
    "pl": (
        "w",
        "w {}:wiersz 12",
        "Koniec czegoś",
        "Koniec śladu stosu z poprzedniej lokalizacji, w której wystąpił wyjątek",
    ),
    "cs": ("v", "v {}:řádek 12", "Konec něčeho", "Konec něčeho jiného"),
    "tr": ("konum:", "{} içinde: sat\u0131r 12", "Bir şeyin sonu", "Başka bir şeyin sonu"),
    "hu": ("a következő helyen:", "hely: {}, sor: 12", "Valaminek a vége", "Másnak a vége"),
    "nl": ("bij", "in {}:regel 12", "Einde van iets", "Einde van iets anders"),
}
"""What .NET Framework prints in the languages of Windows. Invented texts stand for those that are not known."""


@pytest.mark.parametrize("language", LOCALIZED)
def test_traces_of_net_framework_in_other_languages_are_parsed(language):
    at, place, inner_end, rethrown = LOCALIZED[language]
    file = place.format("C:\\src\\Shop files\\Order.cs")
    text = (
        "System.InvalidOperationException: nein ---> System.NullReferenceException: nichts\n"
        f"   {at} System.X.Throw(String s)\n   {at} Shop.Order.Write(XmlWriter w) {file}\n"
        f"   --- {inner_end} ---\n   {at} Shop.Export.<RunAsync>d__5.MoveNext() {file}\n"
        f"--- {rethrown} ---\n   {at} Shop.Web.Main() {file}\n"
    )

    assert outline(text) == [
        ("System.NullReferenceException", ["Write"]),
        ("System.InvalidOperationException", ["Main", "RunAsync"]),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "   v objednávce(číslo dvě)",
        "   w sklepie (nie ma)",
        "   vid Cart(a b)",
        "   在 cart",
        "   --- nothing ---",
        "   in the cart (see below)",
    ],
)
def test_prose_with_the_words_of_frames_is_no_trace(line):
    assert find(f"Shop.Order: nothing\n{line}\n") is None


def test_line_of_dashes_above_the_frames_ends_no_inner_exception():
    text = "Shop.Lost: no 5\n   --- order ---\n\n   at Shop.Cart.Add(String key)\n"

    assert outline(text) == [("Shop.Lost", ["Add"])]


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
