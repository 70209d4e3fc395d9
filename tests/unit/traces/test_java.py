"""Traces of Java: causes, suppressed exceptions, generated classes."""

from tests.support.printed_traces import outline, printed, read

JAVA = printed("java.txt")


def test_causes_and_suppressed_exceptions_are_parsed():
    errors = read(JAVA["cause"]).errors

    assert [(error.type.rpartition(".")[2], error.member) for error in errors] == [
        ("IllegalStateException", True), ("NumberFormatException", False), ("Tide$ReadingException", False)
    ]  # fmt: skip
    assert [function for _, functions in outline(JAVA["thread"]) for function in functions][-2:] == [
        "lambda$main",
        "checked",
    ]


def test_frames_of_generated_classes_are_left_out():
    text = (
        "a.OrderException: no stock\n"
        "\tat a.Stock.take(Stock.java:5)\n"
        "\tat a.Stock$$FastClassBySpringCGLIB$$39baa912.invoke(<generated>)\n"
        "\tat a.Stock$$EnhancerBySpringCGLIB$$27ad1d55.take(<generated>)\n"
        "\tat jdk.internal.reflect.GeneratedMethodAccessor17.invoke(Unknown Source)\n"
        "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
        "\tat a.Main.main(Main.java:1)\n"
    )

    assert outline(text) == [("a.OrderException", ["main", "take"])]


# --- Kotlin, Scala, Clojure -------------------------------------------------------------------------------------------


def test_boundaries_of_coroutines_are_no_calls_of_the_app():
    text = """java.lang.IllegalStateException: no cart 5
\tat shop.CartKt.total(Cart.kt:7)
\tat shop.CartKt$total$1.invokeSuspend(Cart.kt)
\tat _COROUTINE._BOUNDARY._(CoroutineDebugging.kt:46)
\t(Coroutine boundary)
\tat shop.WebKt$main$1.invokeSuspend(Web.kt:3)
\tSuppressed: kotlinx.coroutines.internal.DiagnosticCoroutineContextException: [StandaloneCoroutine{Cancelling}@1f2]
Caused by: java.lang.IllegalStateException: no cart 5
\tat shop.CartKt.total(Cart.kt:7)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)
"""

    assert outline(text) == [
        ("java.lang.IllegalStateException", ["total"]),
        ("java.lang.IllegalStateException", ["invokeSuspend", "invokeSuspend", "total"]),
    ]


def test_functions_without_names_of_scala_and_clojure_are_calls_of_the_app():
    text = """java.util.NoSuchElementException: key not found: 5
\tat shop.Cart$$anonfun$total${}.apply(Cart.scala:7)
\tat shop.Cart$.$anonfun$price${}(Cart.scala:9)
\tat scala.collection.immutable.List.map(List.scala:293)
\tat shop.web$fn__{}.invoke(web.clj:2)
\tat shop.web$eval{}.invokeStatic(web.clj:4)
"""
    one, other = (read(text.format(*numbers)) for numbers in ((1, 1, 5935, 149), (2, 3, 6001, 151)))

    assert one.errors == other.errors
    assert [frame.file for frame in one.errors[0].frames if frame.function] == [
        *("shop.web$eval", "shop.web$fn", "scala.collection.immutable.List", "shop.Cart$", "shop.Cart$$anonfun$total"),
    ]
