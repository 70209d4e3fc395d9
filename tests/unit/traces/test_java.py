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
