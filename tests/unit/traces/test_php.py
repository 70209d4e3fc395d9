"""Traces of PHP, as written by PHP itself, by frameworks and by web servers."""

import pytest

from relay.traces import find, relevant_frames
from tests.support.printed_traces import outline, read

PHP = r"""PHP Fatal error:  Uncaught RuntimeException: Order 5 failed in /srv/shop/src/Cart.php:12
Stack trace:
#0 /srv/shop/src/Shop.php(34): Shop\Cart->total(Object(Shop\Order), 5)
#1 /srv/shop/vendor/symfony/http-kernel/HttpKernel.php(163): Shop\CartController->show()
#2 [internal function]: array_map(Object(Closure), Array)
#3 {main}

Next Shop\CartException: Cart 7 is broken in /srv/shop/src/Shop.php:40
Stack trace:
#0 /srv/shop/public/index.php(5): Shop\Shop->run()
#1 {main}
  thrown in /srv/shop/src/Shop.php on line 40
"""


def test_chain_of_exceptions_is_parsed():
    assert outline(PHP) == [
        ("RuntimeException", ["Shop\\CartController->show", "Shop\\Cart->total"]),
        ("Shop\\CartException", ["Shop\\Shop->run"]),
    ]
    assert [error.message for error in read(PHP).errors] == ["Order 5 failed", "Cart 7 is broken"]
    assert read(PHP).end == len(PHP.rstrip())


def test_traces_of_monolog_and_php_5_are_parsed():
    monolog = r"""[2026-11-22] prod.ERROR: x {"exception":"[object] (ErrorException(code: 0): No x at /srv/a.php:12)
[stacktrace]
#0 /srv/shop/Cart.php(12): Illuminate\HandleExceptions->handleError()
#1 /srv/shop/Web.php(3): App\Cart->sum()
"""
    old = r"""Uncaught exception 'Cart\Error' with message 'no x' in /srv/shop/Cart.php:1
Stack trace:
#0 /srv/shop/Web.php(3): sum()
"""

    assert outline(monolog) == [("ErrorException", ["App\\Cart->sum"])]
    assert outline(old) == [("Cart\\Error", ["sum"])]


def test_traces_of_laravel_with_the_causes_last_are_parsed():
    text = r"""[2026-11-22] production.ERROR: x {"exception":"[object] (App\\Lost(code: 0): no 5 at /srv/a.php:12)
[stacktrace]
#0 /srv/shop/Web.php(3): App\\Cart->sum()
#1 {main}

[previous exception] [object] (PDOException(code: 23000): gone at /srv/b.php:2)
[stacktrace]
#0 /srv/shop/Cart.php(12): App\\Store->read()
#1 {main}
"} """

    assert outline(text) == [("PDOException", ["App\\Store->read"]), ("App\\Lost", ["App\\Cart->sum"])]
    assert read(text).errors[-1].message == "no 5"


@pytest.mark.parametrize(
    ("line", "type_", "message", "frame"),
    [
        ("PHP Warning:  Undefined key 5 in /srv/shop/Cart.php on line 7", "Warning", "Undefined key 5", "?"),
        (
            "[22-Nov-2026 17:03:11 UTC] PHP Parse error:  syntax error, unexpected x in /srv/shop/Cart.php on line 7",
            "Parse error", "syntax error, unexpected x", "?",
        ),
        (
            'request.CRITICAL: Uncaught PHP Exception App\\Lost: "no "5"" at /srv/shop/Cart.php line 7 {"x":"[…]"}',
            "App\\Lost", 'no "5"', "?",
        ),
        ("Lost: no 5 in App\\Cart->sum() (line 7 of /srv/shop/Cart.php).", "Lost", "no 5", "App\\Cart->sum"),
    ],
)  # fmt: skip
def test_error_on_one_line_is_parsed(line, type_, message, frame):
    found = read(f"before\n{line}\nafter")

    assert [(error.type, error.message) for error in found.errors] == [(type_, message)]
    assert found.errors[0].frames[0].place == f"{frame} (Cart.php)"
    assert f"before\n{line}\nafter"[found.start : found.end] == line


def test_error_with_library_frames_only_has_the_file_that_threw():
    text = (
        "PHP Fatal error:  Uncaught Error: no x in /srv/html/wp-content/plugins/shop/{}.php:3\nStack trace:\n"
        "#0 /srv/html/wp-includes/class-wp-hook.php(308): {{closure}}('x')\n#1 {{main}}\n"
    )

    assert [frame.file for frame in relevant_frames(read(text.format("a")))[0]] == ["shop/a.php"]
    assert [frame.file for frame in relevant_frames(read(text.format("b")))[0]] == ["shop/b.php"]


@pytest.mark.parametrize("line", ["Warning: bad on line 7", "stopped (line 3 of 4)", "no Uncaught PHP Exception x"])
def test_text_that_resembles_php_is_no_trace(line):
    assert find(line) is None


@pytest.mark.parametrize(
    "labels",
    [
        "Exception: no 5\nClass: App\\Lost\nFile: /srv/shop/Cart.php:27\n\nTrace:",
        "Type: App\\Lost\nMessage: no 5\nFile: /srv/shop/Cart.php\nLine: 27\nStack trace:",
        "App\\Lost: no 5 in /srv/shop/Cart.php:27\nStack trace:",
    ],
)
def test_labelled_mail_composed_by_an_app_is_parsed(labels):
    text = f"{labels}\n#0 /srv/shop/Web.php(3): App\\Cart->sum()\n#1 {{main}}\n"

    assert outline(text) == [("App\\Lost", ["App\\Cart->sum"])]
    assert read(text).errors[0].message == "no 5"


def test_function_is_in_the_file_printed_with_the_next_inner_frame():
    text = (
        "Uncaught Shop\\Lost: no 5 in /srv/shop/app/Cart.php:7\nStack trace:\n"
        "#0 /srv/shop/vendor/a/Router.php(3): Shop\\CartController->{}()\n#1 /srv/shop/web/index.php(9): run()\n"
    )
    calls = [
        [(frame.function, frame.file) for frame in relevant_frames(read(text.format(name)))[0]]
        for name in ("show", "buy")
    ]

    assert calls[0][-1] == ("Shop\\CartController->show", "Cart.php")
    assert calls[1][-1] == ("Shop\\CartController->buy", "Cart.php")


def test_php_message_in_the_log_of_a_web_server_is_parsed():
    found = read('7#7: *5 FastCGI sent in stderr: "PHP message: PHP Warning:  no 5 in /srv/a/Cart.php on line 7" while')

    assert [(error.type, error.message) for error in found.errors] == [("Warning", "no 5")]


@pytest.mark.parametrize(
    "line",
    ["    #0 0x7f1c2a in Crane::lift(int) /src/crane.cpp:41:7", "#0      Plan.read (package:plan/plan.dart:3:9)"],
)
def test_numbered_frames_of_other_languages_are_not_php(line):
    found = find(f"boom\n{line}\n{line}")

    assert found is None or found.language != "PHP"
