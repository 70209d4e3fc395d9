"""Stack traces as real programs print them: what is read of them, and which frames count."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import CUT_MARKER
from relay.traces import Origin, counted, find, paths, python
from relay.traces.frames import LEFT_OUT
from relay.traces.paths import MAX_PATH, app_file, python_place
from tests.support.paths import DATA


def printed(name: str) -> dict[str, str]:
    """What one interpreter printed, by section."""
    sections = (DATA / "traces" / name).read_text().split("=== ")[1:]
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}


def read(text):
    trace = find(text)
    assert trace is not None
    return trace


def outline(text):
    """Type and own functions of each error, oldest first."""
    trace = read(text)
    return [
        (error.type, [frame.function for frame in own]) for error, own in zip(trace.errors, counted(trace), strict=True)
    ]


PYTHON = printed("python-3.13.txt")
NODE = printed("node.txt")
JAVA = printed("java.txt")


# --- Python -----------------------------------------------------------------------------------------------------------


def test_python_frames_types_and_messages():
    trace = read(PYTHON["plain"])

    assert (trace.language, trace.start, trace.errors[0].type) == ("Python", 0, "ZeroDivisionError")
    assert trace.errors[0].message == "division by zero"
    assert [frame.place for frame in trace.errors[0].frames] == [
        "show (run.py)", "<lambda> (run.py)", "daily (tide/report.py)", "mean (tide/gauge.py)"
    ]  # fmt: skip


def test_python_chains_are_read_from_the_cause_to_what_was_reported():
    assert outline(PYTHON["cause"]) == [
        ("ValueError", ["checked", "table", "levels", "level"]),
        ("tide.gauge.ReadingError", ["show", "<lambda>", "checked"]),
    ]
    assert [type_ for type_, _ in outline(PYTHON["context"])] == ["ValueError", "KeyError"]


def test_frames_of_comprehensions_are_left_out():
    """Python 3.12 has none any more (PEP 709)."""
    assert "<listcomp>" in printed("python-3.8.txt")["cause"]
    assert outline(printed("python-3.8.txt")["cause"]) == outline(PYTHON["cause"])


def test_a_recursion_counts_once_however_deep_it_is():
    assert outline(PYTHON["recursion"]) == [("RecursionError", ["show", "ring", "highest"])]
    assert len(read(printed("python-2.7.txt")["recursion"]).errors[0].frames) > 50


def test_a_syntax_error_is_placed_in_its_file():
    error = read(PYTHON["syntax"]).errors[0]

    assert (error.type, error.message) == ("SyntaxError", "invalid syntax")
    assert error.frames[-1].file == "rules/night.rule"


def test_a_trace_from_a_pool_is_part_of_the_chain():
    assert outline(PYTHON["pool"]) == [
        ("ZeroDivisionError", ["daily", "mean"]),
        ("ZeroDivisionError", ["show", "in_pool"]),
    ]


def test_the_members_of_a_group_are_told_apart_from_it():
    errors = read(PYTHON["group"]).errors

    assert [(error.type, error.member) for error in errors] == [
        ("ExceptionGroup", False), ("ZeroDivisionError", True), ("ZeroDivisionError", True), ("KeyError", True)
    ]  # fmt: skip


def test_a_note_belongs_to_the_trace():
    text = f"Totals failed\n{PYTHON['note']}\n\nRegards"
    trace = read(text)

    lines = text[trace.start : trace.end].split("\n")
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "station: Husum"


def test_a_trace_whose_beginning_is_cut_off_is_read_from_its_first_frame():
    text = PYTHON["plain"].split("\n", 1)[1]

    assert outline(text) == outline(PYTHON["plain"])


def test_a_trace_whose_end_is_cut_off_has_no_type():
    assert outline(PYTHON["plain"].rsplit("ZeroDivisionError", 1)[0])[0][0] == ""


def test_a_trace_goes_on_behind_the_middle_that_was_left_out():
    marker = (CUT_MARKER % 4711).decode().strip("\r\n")
    assert marker.startswith(LEFT_OUT)
    before, _, after = PYTHON["recursion"].partition("  [Previous")

    text = f'{before}{marker}\nle["next"]))\n  [Previous{after}'

    assert outline(text) == outline(PYTHON["recursion"])
    assert read(text).end == len(text.rstrip())


def test_lost_indentation_makes_no_difference():
    flat = "\n".join(line.lstrip() for line in printed("python-3.8.txt")["plain"].split("\n"))

    assert outline(flat) == outline(PYTHON["plain"])


@pytest.mark.parametrize(
    "text",
    [
        "It broke.",
        'Upload of File "data.csv" in bucket 7 failed',
        'File "data.csv" in bucket 7',
        "Traceback (most recent call last):",
        "Traceback (most recent call last):\n  None\n",
        "look at my goroutine and my panic: now",
        "meet\n    at the shop (main:1)\n",
    ],
)
def test_what_only_looks_like_a_trace_is_none(text):
    assert find(text) is None


# --- Other languages --------------------------------------------------------------------------------------------------


def test_java_causes_and_suppressed_ones():
    errors = read(JAVA["cause"]).errors

    assert [(error.type.rpartition(".")[2], error.member) for error in errors] == [
        ("IllegalStateException", True), ("NumberFormatException", False), ("Tide$ReadingException", False)
    ]  # fmt: skip
    assert [function for _, functions in outline(JAVA["thread"]) for function in functions][-2:] == [
        "lambda$main",
        "checked",
    ]


def test_java_classes_made_at_run_time_do_not_count():
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


def test_javascript_frames_causes_and_properties():
    assert outline(NODE["cause"])[1] == ("ReadingError", ["<anonymous>", "show", "exports.checked"])
    assert outline(NODE["crash"]) == [("TypeError", ["Timeout._onTimeout", "exports.station"])]
    assert read(NODE["system"]).end == len(NODE["system"].rstrip())
    assert read(NODE["rejection"]).errors[-1].message == "station 4 is unusable"


AGGREGATE = """[AggregateError: All promises were rejected] {
  [errors]: [
    Error: pump 7 is dry
        at dose (file:///srv/tank/feed.mjs:10:9)
        at async Promise.any (index 0)
        at async file:///srv/tank/feed.mjs:35:3,
    TypeError: pump 8 is clogged {
      code: 'ECLOG'
    },
    Error: pump 9 is dry
        at dose (file:///srv/tank/feed.mjs:10:9) {
      code: 'EDRY'
    }
  ]
}

Node.js v20.20.2"""


def test_javascript_aggregates_have_members():
    found = read(AGGREGATE)

    assert [(error.type, error.message, error.member) for error in found.errors] == [
        ("Error", "pump 9 is dry", True), ("TypeError", "pump 8 is clogged", True), ("Error", "pump 7 is dry", True),
        ("AggregateError", "All promises were rejected", False),
    ]  # fmt: skip
    assert AGGREGATE[found.start : found.end].endswith("]\n}")


def test_javascript_rejections_nobody_handled_are_named_after_what_was_thrown():
    text = "(node:17) UnhandledPromiseRejectionWarning: TypeError: no id\n    at get (/srv/shop/app.js:5:8)\n"

    assert outline(text) == [("TypeError", ["get"])]


RUBY = """E, [2026-11-22T17:03:19 #4711] ERROR -- : job failed
/srv/shop/lib/store.rb:73:in `rescue in block in import': row "a" rejected (Store::ImportError)
\tfrom /srv/shop/lib/store.rb:69:in `each'
\tfrom /srv/shop/lib/store.rb:69:in `import'
\tfrom /usr/lib/ruby/3.1.0/bundler.rb:1:in `run'
/srv/shop/lib/store.rb:65:in `Integer': invalid value (ArgumentError)
\tfrom /srv/shop/lib/store.rb:71:in `block (2 levels) in import'
"""


def test_ruby_chains_and_blocks():
    assert outline(RUBY) == [("ArgumentError", ["import", "Integer"]), ("Store::ImportError", ["import", "each"])]
    assert outline(RUBY.replace("`", "'").replace("in 'import", "in 'Store::Row#import")) == outline(RUBY)


def test_a_ruby_message_of_several_lines_is_read_from_its_first():
    """Since 3.1 Ruby shows the code below the message; the bracket that a logger put around both closes after it."""
    text = """NoMethodError (undefined method `size' for nil:NilClass

      when "hall" then nil.size
                          ^^^^^):

lib/choir.rb:36:in `hall'
lib/choir.rb:50:in `<main>'
"""

    assert outline(text) == [("NoMethodError", ["<main>", "hall"])]
    assert read(text).errors[0].message == "undefined method `size' for nil:NilClass"


def test_rails_reports():
    text = (
        "An error occurred in carts#show:\n\n  NoMethodError (undefined method `[]' for nil:NilClass):\n\n"
        "app/decorators/cart_decorator.rb:18:in `total'\n"
        "app/views/carts/show.html.haml:31:in `block in _app_views_carts_show_html_haml___5538924064_90792154'\n"
        "actionview (4.2.9) lib/action_view/template.rb:145:in `render'\n"
    )

    assert outline(text) == [("NoMethodError", ["_app_views_carts_show_html_haml", "total"])]


GO = """2026/11/22 17:03:19 starting
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x98 pc=0xe1f0ab]

goroutine 33 [running]:
os/exec.(*Cmd).Wait(0x0, 0x5bf20a, 0xc42000dc45)
\t/usr/local/go/src/os/exec/exec.go:453 +0x26
example.org/shop/queue.(*Runner).Start.func2.1({0x7ffc3233c786?, 0x531440?})
\t/build/shop/queue/queue.go:40 +0x73
main.main()
\t/build/shop/main.go:41 +0x151
created by main.start in goroutine 1
\t/build/shop/main.go:40 +0x25d

goroutine 1 [chan receive]:
main.other()
\t/build/shop/other.go:1 +0x1
"""


def test_go_panics_of_the_goroutine_that_failed():
    assert outline(GO) == [("panic", ["main", "(*Runner).Start"])]
    assert read(GO).errors[0].message == "runtime error: invalid memory address or nil pointer dereference"


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


def test_php_chains():
    assert outline(PHP) == [
        ("RuntimeException", ["Shop\\CartController->show", "Shop\\Cart->total"]),
        ("Shop\\CartException", ["Shop\\Shop->run"]),
    ]
    assert [error.message for error in read(PHP).errors] == ["Order 5 failed", "Cart 7 is broken"]
    assert read(PHP).end == len(PHP.rstrip())


def test_php_as_monolog_and_php_5_write_it():
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


def test_php_as_laravel_writes_it_with_its_causes_last():
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
def test_php_errors_that_are_told_on_one_line(line, type_, message, frame):
    found = read(f"before\n{line}\nafter")

    assert [(error.type, error.message) for error in found.errors] == [(type_, message)]
    assert found.errors[0].frames[0].place == f"{frame} (Cart.php)"
    assert f"before\n{line}\nafter"[found.start : found.end] == line


def test_a_php_error_below_hooks_is_told_by_the_file_that_threw():
    text = (
        "PHP Fatal error:  Uncaught Error: no x in /srv/html/wp-content/plugins/shop/{}.php:3\nStack trace:\n"
        "#0 /srv/html/wp-includes/class-wp-hook.php(308): {{closure}}('x')\n#1 {{main}}\n"
    )

    assert [frame.file for frame in counted(read(text.format("a")))[0]] == ["shop/a.php"]
    assert [frame.file for frame in counted(read(text.format("b")))[0]] == ["shop/b.php"]


@pytest.mark.parametrize("line", ["Warning: bad on line 7", "stopped (line 3 of 4)", "no Uncaught PHP Exception x"])
def test_what_only_sounds_like_php_is_no_trace(line):
    assert find(line) is None


@pytest.mark.parametrize(
    "labels",
    [
        "Exception: no 5\nClass: App\\Lost\nFile: /srv/shop/Cart.php:27\n\nTrace:",
        "Type: App\\Lost\nMessage: no 5\nFile: /srv/shop/Cart.php\nLine: 27\nStack trace:",
        "App\\Lost: no 5 in /srv/shop/Cart.php:27\nStack trace:",
    ],
)
def test_php_mails_that_an_app_composes_by_itself(labels):
    text = f"{labels}\n#0 /srv/shop/Web.php(3): App\\Cart->sum()\n#1 {{main}}\n"

    assert outline(text) == [("App\\Lost", ["App\\Cart->sum"])]
    assert read(text).errors[0].message == "no 5"


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


def test_dotnet_inner_exceptions_async_methods_and_lambdas():
    assert outline(DOTNET) == [
        ("System.FormatException", ["Parse"]),
        ("System.InvalidOperationException", ["Show", "TotalAsync"]),
    ]


def test_dotnet_as_mono_prints_it():
    text = (
        "Unhandled Exception:\nShop.CartException: Cart 7 ---> System.FormatException: bad\n"
        "  at System.Int32.Parse (System.String s) [0x00019] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n"
        "  at Shop.Cart`1+<Total>c__AnonStorey2[TItem].<>m__0 (System.String s) [0x0002d] in /src/Cart.cs:40 \n"
        "   --- End of inner exception stack trace ---\n"
        "  at Shop.Cart`1[TItem].Total (System.Collections.Generic.List`1[T] items) [0x00075] in /src/Cart.cs:91 \n"
        "  at (wrapper runtime-invoke) Shop.Program.Main () [0x00000] in /src/Cart.cs:9 <---\n"
    )

    assert outline(text) == [("System.FormatException", ["Total"]), ("Shop.CartException", ["Main", "Total"])]
    assert {frame.file for frame in counted(read(text))[0]} == {"Shop.Cart"}


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ("bei", "in C:\\src\\Cart.cs:Zeile 12."),
        ("à", "dans C:\\src\\Cart.cs:ligne 12"),
        ("в", "в C:\\Cart.cs:строка 12"),
    ],
)
def test_dotnet_framework_speaks_the_language_of_its_windows(at, place):
    text = (
        f"System.ArgumentException: nein\n   {at} System.X.Throw(String s)\n   {at} Shop.Cart.Add(String key) {place}\n"
    )

    assert outline(text) == [("System.ArgumentException", ["Add"])]


def test_dotnet_aggregates_are_not_told_by_the_number_of_their_members():
    head = "System.AggregateException: One or more errors occurred. (no 5)"
    rest = " ---> Shop.Lost: no 5\n   at Shop.Cart.Add(String a)\n"

    assert read(head + rest).errors == read(f"{head} (no 7) (no 8){rest}").errors


def test_dotnet_framework_puts_the_chain_on_one_line():
    text = (
        "Unhandled Exception: Shop.CartException: Cart 7 ---> System.ArgumentNullException: Value cannot be null.\n"
        "   at Shop.Cart.Total(Order order)\n   --- End of inner exception stack trace ---\n   at Shop.Program.Main()\n"
    )

    assert outline(text) == [("System.ArgumentNullException", ["Total"]), ("Shop.CartException", ["Main"])]


RUST = printed("rust.txt")


def test_rust_panics():
    assert outline(RUST["option"]) == [("panic", ["tide::main", "tide::daily", "tide::gauge::mean"])]
    assert read(RUST["index"]).errors[0].message == "index out of bounds: the len is 2 but the index is 7"
    assert read(RUST["bare"]).errors[0].frames[0].file == "gauge.rs"
    assert outline(RUST["bare"].replace("(28", "(99")) == outline(RUST["bare"])


def test_rust_panics_of_older_releases_and_backtraces_of_errors():
    old = "thread 'main' panicked at 'no cart 5', src/cart.rs:5:18\nnote: run with `RUST_BACKTRACE=1`"
    anyhow = "Error: no cart 5\n\nStack backtrace:\n   0: shop::cart::total\n             at ./src/cart.rs:5:1\n"

    assert read(old).errors[0].message == "no cart 5"
    assert outline(anyhow) == [("", ["shop::cart::total"])]


def test_rust_backtraces_with_addresses():
    text = """stack backtrace:
   0:     0x55d0e2a1c8d4 - std::panicking::begin_panic::h8a1b2c3d4e5f6071
                               at /rustc/x/library/std/src/panicking.rs:93:5
   1:     0x55d0e2a1c8d4 - shop::cart::total::h8a1b2c3d4e5f6071
                               at /home/ada/shop/src/cart.rs:3:9
"""

    assert outline(f"thread 'main' panicked at src/cart.rs:3:9:\nno 5\n{text}") == [("panic", ["shop::cart::total"])]
    assert outline(text) == [("", ["shop::cart::total"])]


# --- Whose code it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/srv/shop/current/shop/cart.py",
        "/srv/shop/releases/20240510135504/shop/cart.py",
        "/opt/shop-1.4.2/shop/cart.py",
        "/home/ada/shop/live/shop/cart.py",
        "/usr/src/app/shop/cart.py",
        "/app/shop/cart.py",
        "/usr/local/shop/src/shop/cart.py",
        "/var/task/shop/cart.py",
        "/srv/venv/lib/python3.12/site-packages/shop/cart.py",
        "/home/ada/.pex/unzipped_code/6dd8c4c0ed7afd7aa5b979f031ddc99346178280/shop/cart.py",
        r"C:\inetpub\shop\shop\cart.py",
        r"D:\apps\shop\venv\Lib\site-packages\shop\cart.py",
        "shop/cart.py",
    ],
)
def test_a_file_is_named_alike_wherever_it_is_installed(path):
    assert python_place(path).file == "shop/cart.py"
    assert python_place(path).origin is not Origin.LIBRARY


@pytest.mark.parametrize(
    "path", ["/srv/shop/current/app.py", "/app/app.py", "/home/ada/shop/src/app.py", "app.py", "/opt/shop/app.py"]
)
def test_a_file_at_the_top_of_an_app_has_no_folder(path):
    assert python_place(path).file == "app.py"


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/python3.11/json/decoder.py",
        r"C:\Python311\Lib\json\decoder.py",
        "/usr/lib/python311.zip/json/decoder.py",
        "/usr/lib/python3/dist-packages/flask/app.py",
        "/srv/venv/lib/python3.12/site-packages/flask/app.py",
        "/var/task/flask/app.py",
        "/opt/python/celery/app.py",
        "/home/ada/.pex/installed_wheels/e908/flask-py3-none-any.whl/flask/app.py",
        "/usr/local/bin/gunicorn",
        "<frozen importlib._bootstrap>",
        "<string>",
    ],
)
def test_libraries_are_known_by_where_they_lie(path):
    assert python_place(path).origin is Origin.LIBRARY


def test_temporary_files_are_all_the_same():
    assert app_file("/tmp/tmpab12cd34/rule.py") == app_file("/var/folders/zz/yy/T/x9.py") == "temporary file.py"


def test_paths_of_any_length_are_bounded():
    assert len(python_place("/a" * 100_000 + "/b.py").file) <= MAX_PATH


def frames(*places):
    lines = [f'  File "{path}", line 1, in {function}' for path, function in places]
    return "\n".join(["Traceback (most recent call last):", *lines, "KeyError: 1"])


def functions_that_count(*places):
    return [frame.function for frame in counted(read(frames(*places)))[0]]


LIBS = "/srv/venv/lib/python3.12/site-packages"


def test_only_the_apps_frames_count():
    places = [
        (f"{LIBS}/flask/app.py", "wsgi_app"),
        ("/srv/shop/shop/cart.py", "total"),
        (f"{LIBS}/money/sum.py", "add"),
    ]

    assert functions_that_count(*places) == ["total"]


def test_an_app_installed_like_a_library_is_the_outermost_unknown_package():
    places = [(f"{LIBS}/flask/app.py", "wsgi_app"), (f"{LIBS}/shop/cart.py", "total"), (f"{LIBS}/money/sum.py", "add")]

    assert functions_that_count(*places) == ["total"]


def test_where_all_is_library_all_frames_count():
    places = [("/usr/lib/python3.11/threading.py", "run"), (f"{LIBS}/redis/client.py", "get")]

    assert functions_that_count(*places) == ["run", "get"]


# --- Anything at all --------------------------------------------------------------------------------------------------

PRINTED = """Traceback (most recent call last):
  File "/a/b.py", line 1, in f
    x()
E: m
  + Exception Group Traceback (most recent call last):
  | x
    | Traceback (most recent call last):
The above exception (x) was the direct cause
Exception Type: A
Exception Value: b
\tat a.b.C.d(E.java:1)
Caused by: a.B: c
\t... 3 more
    at f (/a/b.js:1:2)
  [cause]: A: b
}
goroutine 1 [running]:
main.f()
\t/a/b.go:1 +0x1
panic: x
a.rb:1:in `b'
\tfrom a.rb:1:in `b'
#0 /a/b.php(1): c->d()
Next A: b in /c/d.php:1
   at A.B.C(String d)
 ---> A.B: c
   --- End of inner exception stack trace ---
thread 'a' panicked at b.rs:1:1:
stack backtrace:
   0: a::b
             at ./a.rs:1:1"""
LINES = ["", LEFT_OUT, *PRINTED.split("\n")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=10)), max_size=40))
def test_any_lines_are_read_and_the_span_is_whole_lines_of_them(lines):
    text = "\n".join(lines)
    trace = find(text)

    if trace:
        assert 0 <= trace.start <= trace.end <= len(text)
        assert f"\n{text}"[trace.start] == f"{text}\n"[trace.end] == "\n"
        assert trace.errors
        assert len(counted(trace)) == len(trace.errors)


FOLDERS = [
    "site-packages",
    "DIST-PACKAGES",
    "_vendor",
    "vendored",
    "__pypackages__",
    "a.whl",
    "python3.11",
    "Python311",
    "pypy3",
    "lib",
    "shop",
    "a.py",
]


@given(st.sampled_from(["", "/", "C:\\"]), st.lists(st.sampled_from(FOLDERS), min_size=1), st.sampled_from("/\\"))
def test_no_installed_path_is_passed_by_at_the_first_look(root, folders, separator):
    path = (root + separator.join(folders)).casefold()

    assert not paths._PACKAGES.match(path) or any(mark in path for mark in paths._PACKAGE_MARKS)
    assert not paths._STANDARD_LIBRARY.search(path) or "python" in path or "pypy" in path


PYTHONS = [*"\n".join(PYTHON.values()).split("\n"), LEFT_OUT, "Exception Value: x", "x", ""]
INDENTED = st.lists(st.sampled_from([line for line in PYTHONS if line[:1] == " "]), min_size=8, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["Traceback (most recent call last):", "a.Error: b"]),
            INDENTED.map("\n".join),
            st.sampled_from(PYTHONS),
        ),
        max_size=12,
    ),
    st.sampled_from(["", "  "]),
)
def test_a_python_stack_taken_as_one_is_read_like_its_lines(parts, margin):
    text = "\n".join(margin + part for part in parts)

    assert python.read(text) == python._read(text.split("\n"), 0)


PLAIN = "Traceback (most recent call last):"
CALLS = [
    '  File "/srv/a.py", line 1, in f',
    "    f(1)",
    '\t  File "b.py", line 2, in <listcomp>',
    "   ",
    "  x.Error: y",
]
AFTER = [
    "a.Error: b", "KeyError: 'k'", "Error", "12 is no type", "goes on", "", "", "  indented", "\ttab", " ", LEFT_OUT,
    PLAIN, "The above exception was the direct cause of the following exception:", "Exception Value: x",
    "Exception Type: E",
    "During handling of the above exception (x), another exception occurred:", "Exception Value: ", "b.Error: ",
    "a.Error: b  ", "builtins.KeyError: 1", "__main__.E: \u2028x", "\u00a0a.Error: b",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(["before", "", "  indented", "x: y"]), max_size=2),
    st.lists(st.sampled_from(CALLS), max_size=11),
    st.lists(st.sampled_from(AFTER), max_size=5),
    st.sampled_from(["", "", "\n", "\n\n", "\n ", "\n\t"]),
)
def test_a_plain_python_trace_is_read_like_any_other(before, calls, after, end):
    text = "\n".join([*before, PLAIN, *calls, *after]) + end

    assert python.read(text) == python._read(text.split("\n"), 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CALLS[:2]), max_size=9), st.lists(st.sampled_from(AFTER), max_size=5))
def test_a_plain_trace_by_itself_is_known_again_as_it_would_be_read(calls, after):
    text = "\n".join(["before", PLAIN, CALLS[0], *calls, "a.Error: b", *after, ""])
    found = python.read(text)

    assert found
    alone = text[found.start : found.end]
    known = python.read(alone)

    python._latest[0] = ("", None)
    assert known == python.read(alone) == python._read(alone.split("\n"), 0)


def test_an_ordinary_trace_is_taken_for_plain():
    assert python._plain("\n".join(["before", PLAIN, *CALLS[:2], "a.Error: b", "more", "", "below"]), len("before\n"))


@pytest.mark.parametrize("line", LINES)
def test_a_megabyte_of_equal_lines_comes_to_an_end(line):
    trace = find((line + "\n") * (1_000_000 // (len(line) + 1)))

    assert trace is None or trace.errors


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "at a.",
        ' File "',
        "(A",
        ": (A::",
        "panic ",
        " at (",
        "[cause]: ",
        "a:1:in `",
        " in /a:1",
        "thread '",
        "---> A.B: ",
    ],
)
def test_a_megabyte_on_one_line_comes_to_an_end(unit):
    marks = "Traceback (most recent call last):\n   at goroutine 1 :in ` panicked at \n"
    text = f"{marks}{unit * (1_000_000 // len(unit))}\n#0 a\n"

    assert find(text) is None or find(text)


# --- Errors behind other text, and what other runtimes print alike ----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type_", "message"),
    [
        (
            "17:03|ERROR|Shop.Cart|no cart|System.FormatException: bad 5\n   at Shop.Cart.Total(String s)",
            "System.FormatException",
            "bad 5",
        ),
        (
            "Description: ended.\nException Info: System.IO.InvalidDataException\n   at Shop.Cart.Total(System.String)",
            "System.IO.InvalidDataException",
            "",
        ),
        (
            "ERROR request failed: org.shop.CartException: no 5\n\tat org.shop.Cart.total(Cart.java:7)",
            "org.shop.CartException",
            "no 5",
        ),
        ("cannot close 5: Error: no key\n    at total (/srv/shop/cart.js:3:9)", "Error", "no key"),
        ("CartError:\nInvalid call in\n/a/b.js:3\nno 5\n    at total (/srv/shop/cart.js:3:9)", "CartError", "no 5"),
        (
            "A Cart::Lost occurred in carts#show:\n\n  no cart 5\n  app/carts.rb:7:in `total'",
            "Cart::Lost",
            "no cart 5",
        ),
        (
            "[error][db] PDOException: no 5 in /srv/a/Cart.php:7\nStack trace:\n#0 /srv/a/Web.php(3): total()",
            "PDOException",
            "no 5",
        ),
        (
            "[object] (Shop\\Lost(code: 7): no cart\nDETAIL: no key at /srv/Cart.php:7)\n#0 /srv/Web.php(3): total()",
            "Shop\\Lost",
            "no cart",
        ),
    ],
)  # fmt: skip
def test_an_error_is_read_where_other_text_stands_before_it(text, type_, message):
    found = find(text)

    assert found is not None
    assert [(error.type, error.message) for error in found.errors] == [(type_, message)]


def test_php_calls_stand_in_the_file_that_made_the_next_call():
    text = (
        "Uncaught Shop\\Lost: no 5 in /srv/shop/app/Cart.php:7\nStack trace:\n"
        "#0 /srv/shop/vendor/a/Router.php(3): Shop\\CartController->{}()\n#1 /srv/shop/web/index.php(9): run()\n"
    )
    calls = [
        [(frame.function, frame.file) for frame in counted(read(text.format(name)))[0]] for name in ("show", "buy")
    ]

    assert calls[0][-1] == ("Shop\\CartController->show", "Cart.php")
    assert calls[1][-1] == ("Shop\\CartController->buy", "Cart.php")


def test_php_in_the_log_of_a_web_server_is_read():
    found = read('7#7: *5 FastCGI sent in stderr: "PHP message: PHP Warning:  no 5 in /srv/a/Cart.php on line 7" while')

    assert [(error.type, error.message) for error in found.errors] == [("Warning", "no 5")]


@pytest.mark.parametrize(
    "line",
    ["    #0 0x7f1c2a in Crane::lift(int) /src/crane.cpp:41:7", "#0      Plan.read (package:plan/plan.dart:3:9)"],
)
def test_numbered_frames_of_others_are_not_phps(line):
    assert find(f"boom\n{line}\n{line}") is None


def test_wrappers_of_mono_and_lone_types_do_not_end_a_trace_of_dotnet():
    text = (
        "System.IO.IOException: no 5\n  at (wrapper remoting-invoke-with-check) System.IO.File..ctor(string,int,bool)\n"
        "  at Shop.Cart.Open(System.String)\n  at Shop.Web.Main(System.String[])"
    )

    assert [frame.function for frame in read(text).errors[0].frames] == ["Main", "Open", "ctor"]


def test_a_view_counts_though_rails_names_no_method_in_it():
    text = "ActionView::Template::Error (no 5):\n    1: <b>\n\napp/views/{}.html.erb:4\napp/web.rb:18:in `show'"

    assert [frame.file for frame in read(text.format("a/b")).errors[0].frames] == ["web.rb", "a/b.html.erb"]
