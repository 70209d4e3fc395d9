"""A traceback that is written out later says what it would have said at once, and holds nothing of the request."""

import asyncio
import importlib
import linecache
import logging
import os
import sys
import threading
import tokenize
import weakref
import zipfile
from collections.abc import Callable

import pytest

from app_client import ErrorMailHandler, mail_formatter
from app_client.capture.report import HEAD, shorten
from app_client.capture.text import text_of
from app_client.formatting.formatters import ErrorFormatter, MailFormatter
from app_client.formatting.traceback import LATER, Trace, capture


class Order:
    number = 17

    def __repr__(self) -> str:
        return "an order"


def plain():
    return dict[str, str]()["order"]


def over_several_lines():
    return max(
        len("order"),
        len(17),  # type: ignore[arg-type]
    ) + (1 / 0)


def wide_characters():
    größe = "größer 価格"; return größe + 17  # type: ignore[operator]  # fmt: skip  # noqa: E702, PLC2401 - carets count columns


def caused():
    try:
        plain()
    except KeyError as error:
        raise RuntimeError("no shipping\ntoday") from error


def in_passing():
    try:
        caused()
    except RuntimeError:
        over_several_lines()


def hushed():
    try:
        plain()
    except KeyError:
        raise ValueError("what it came from is not to be shown") from None


def ring():
    first, second = KeyError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    raise first


def noted():
    error = ValueError("failed")
    error.add_note("order 17\nof anna")
    error.add_note("")
    raise error


def caught(fail: Callable[[], object]) -> Exception:
    try:
        fail()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
        return error
    raise AssertionError("did not fail")


def several():
    raise ExceptionGroup("several", [caught(plain), ExceptionGroup("inner", [caught(caused), caught(noted)])])


def a_crowd():
    raise ExceptionGroup("a crowd", [ValueError(number) for number in range(20)])


def deeply_grouped():
    error: Exception = caught(plain)
    for number in range(14):
        error = ExceptionGroup(f"level {number}", [error])
    raise error


def tasks():
    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(plain))
            group.create_task(asyncio.to_thread(caused))

    asyncio.run(main())


def recursion():
    def dive(depth):
        return dive(depth - 1) if depth else plain()

    dive(200)


def bad_syntax():
    compile("order = [1, 2\nnext", "views.py", "exec")


def misspelt_name():
    return sys.versoin  # type: ignore[attr-defined]


def forgotten_import():
    return collections.deque()  # type: ignore[name-defined]  # noqa: F821


def without_a_source():
    exec(compile("def f():\n    return 1 / 0\nf()", "<template>", "exec"), {})


def before_its_first_step():
    (number for number in [17]).throw(KeyError("early"))


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text today")


def unprintable():
    raise Unprintable


FAILURES = [
    plain, over_several_lines, wide_characters, caused, in_passing, hushed, ring, noted, several, a_crowd,
    deeply_grouped, tasks, recursion, bad_syntax, misspelt_name, forgotten_import, without_a_source,
    before_its_first_step, unprintable,
]  # fmt: skip


def info_of(error: BaseException):
    return type(error), error, error.__traceback__


def captured(error: BaseException) -> Trace:
    trace = capture(info_of(error))
    assert trace is not None
    return trace


@pytest.mark.parametrize("fail", FAILURES)
def test_text_is_to_the_letter_what_logging_says(fail):
    error = caught(fail)

    assert captured(error).text() == logging.Formatter().formatException(info_of(error))


def test_a_traceback_given_apart_is_the_one_that_counts():
    """As `logger.error(..., exc_info=(type, error, traceback))` may have it."""
    other = caught(caused).__traceback__
    info = (KeyError, KeyError("order"), other)
    trace = capture(info)

    assert trace is not None
    assert trace.text() == logging.Formatter().formatException(info)


def test_an_exception_that_was_never_raised_has_a_text():
    assert captured(KeyError("order")).text() == "KeyError: 'order'"


def test_source_that_only_its_modules_loader_has_is_shown(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("packed_views.py", "def ship(order):\n    return {}[order]\n")
    monkeypatch.syspath_prepend(tmp_path / "app.zip")
    error = caught(lambda: importlib.import_module("packed_views").ship(17))
    linecache.clearcache()

    trace = captured(error)

    assert "    return {}[order]\n" in trace.text()
    assert trace.text() == logging.Formatter().formatException(info_of(error))


def test_what_is_done_to_the_exception_later_does_not_show():
    error = caught(in_passing)
    error.add_note("one")
    expected = logging.Formatter().formatException(info_of(error))

    trace = captured(error)
    error.add_note("two")
    error.args = ("another",)
    error.__context__ = error.__traceback__ = None

    assert trace.text() == expected


def test_text_stays_the_same_when_the_source_changes(tmp_path):
    source = tmp_path / "views.py"
    source.write_text("def ship(): return {}['order']\nship()\n")
    error = caught(lambda: exec(compile(source.read_text(), str(source), "exec"), {}))
    trace = captured(error)
    first = trace.text()

    source.write_text("# all is new\n" * 9)

    assert "ship()\n" in first
    assert trace.text() == first


def test_nothing_of_the_request_is_held():
    """Neither the exceptions nor their frames with all that these know."""

    def request():
        order = Order()
        gone.append(weakref.ref(order))
        in_passing()

    gone: list[weakref.ref] = []
    error = caught(request)
    gone.append(weakref.ref(caught(unprintable)))
    trace = captured(error)
    del error

    assert [each() for each in gone] == [None, None]
    assert "ZeroDivisionError" in trace.text() or "TypeError" in trace.text()


def test_capture_looks_at_no_file(monkeypatch):
    """It happens in the midst of a request, and the disk may be slow, broken or away."""
    errors = [caught(fail) for fail in FAILURES]
    expected = [logging.Formatter().formatException(info_of(error)) for error in errors]
    linecache.clearcache()
    looked = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *_: looked.append("stat"))
        patch.setattr(tokenize, "open", lambda *_: looked.append("open"))
        traces = [captured(error) for error in errors]

    assert not looked
    assert [trace.text() for trace in traces] == expected


class Moody(list):
    pass


@pytest.mark.parametrize("notes", ["text", ["one", Order()], ("a", "b"), Moody(["a"]), Order()], ids=repr)
def test_what_may_be_another_thing_later_is_not_captured(notes):
    error = caught(plain)
    error.__notes__ = notes

    assert capture(info_of(error)) is None


def test_a_limit_on_tracebacks_is_for_logging_to_keep(monkeypatch):
    error = caught(recursion)
    monkeypatch.setattr(sys, "tracebacklimit", 3, raising=False)

    assert capture(info_of(error)) is None


def test_an_exception_that_cannot_be_shown_leaves_the_bare_facts():
    """The standard library fails at it; the error is mailed all the same."""
    odd = SyntaxError("odd")
    odd.text, odd.offset, odd.lineno = "order", "nowhere", 1  # type: ignore[assignment]
    error = caught(lambda: (_ for _ in ()).throw(odd))

    text = captured(error).text()

    assert text.startswith("Traceback (most recent call last):\n")
    assert f'  File "{__file__}", line ' in text
    assert text.splitlines()[-1].startswith("SyntaxError: ")


def test_the_weight_of_a_deep_traceback_counts():
    shallow, deep = captured(caught(plain)), captured(caught(recursion))

    assert deep.weight > shallow.weight + 200 * 50


@pytest.fixture
def threads_take_turns_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("threads_take_turns_often")
def test_threads_that_want_the_same_text_at_once_all_get_it():
    errors = [caught(fail) for fail in FAILURES]
    expected = [captured(error).text() for error in errors]

    for _ in range(20):
        assert texts_by_threads([captured(error) for error in errors]) == [expected] * 4


def texts_by_threads(shared):
    texts: list[list[str]] = []
    together = threading.Barrier(4)
    linecache.clearcache()

    def read():
        together.wait()
        texts.append([trace.text() for trace in shared])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts


# --- The text of a record ---------------------------------------------------------------------------------------------


def record_of(message="cannot ship %d", *arguments, fail=in_passing, **values) -> logging.LogRecord:
    info = info_of(caught(fail))
    record = logging.LogRecord("yourapplication", logging.ERROR, __file__, 1, message, arguments or (17,), info)
    record.__dict__.update(values)
    return record


def handler_with(formatter: logging.Formatter | None, handler_class=logging.Handler) -> logging.Handler:
    handler = handler_class()
    handler.setFormatter(formatter)
    return handler


def written(record: logging.LogRecord, handler: logging.Handler) -> str:
    text, trace = text_of(record, handler)
    return shorten(text.replace(LATER, trace.text())) if trace else text


@pytest.mark.parametrize(
    "formatter",
    [
        None,
        logging.Formatter(),
        logging.Formatter("{exc_info[1]!r} {message} {exc_text}", style="{"),
        mail_formatter(iso_time=True),
        ErrorFormatter("%(message)s %(remote_addr)s"),
    ],
    ids=["none", "stock", "braces", "mail", "ours"],
)
def test_the_librarys_own_traceback_is_written_later_and_the_same(formatter):
    handler = handler_with(formatter)
    record = record_of(stack_info="Stack (most recent call last):\n  here")

    text, trace = text_of(record, handler)
    later = written(record, handler)

    assert trace is not None
    assert "ZeroDivisionError" not in text.replace(repr(record.exc_info[1]), "")  # type: ignore[index]
    assert record.exc_text is None
    assert later.replace(str(trace.text()), "None", later.count(trace.text()) - 1) == handler.format(record)


class OwnException(MailFormatter):
    def formatException(self, exc_info):  # noqa: N802 - the stock name
        return f"in {threading.current_thread().name}: {exc_info[0].__name__}"


class OwnFormat(logging.Formatter):
    def format(self, record):
        return f"own: {super().format(record)}"


class OwnMessage(MailFormatter):
    def formatMessage(self, record):  # noqa: N802 - the stock name
        return f"{record.exc_info[0].__name__} at {record.getMessage()}"

    def formatTime(self, record, datefmt=None):  # noqa: N802 - the stock name
        return "noon"


class OwnHandler(logging.Handler):
    def format(self, record):
        return super().format(record).upper()


def on_the_instance() -> logging.Formatter:
    formatter = mail_formatter()
    formatter.formatException = lambda _info: "patched"  # type: ignore[method-assign, assignment]
    return formatter


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (handler_with(OwnException()), "in MainThread: TypeError"),
        (handler_with(OwnFormat()), "own: cannot ship 17"),
        (handler_with(on_the_instance()), "\npatched"),
        (handler_with(None, OwnHandler), "CANNOT SHIP 17"),
    ],
    ids=["formatException", "format", "instance", "handler"],
)
def test_what_the_app_formats_itself_is_formatted_at_once(handler, told):
    text, trace = text_of(record_of(), handler)

    assert trace is None
    assert told in text


def test_what_else_the_app_formats_sees_the_whole_record():
    handler = handler_with(OwnMessage("%(asctime)s %(message)s"))
    record = record_of()

    assert written(record, handler) == handler.format(record)
    assert written(record, handler).startswith("TypeError at cannot ship 17\n")


def test_a_text_that_another_formatter_has_made_is_taken_over_as_logging_does():
    record = record_of(exc_text="made before")

    assert text_of(record, handler_with(None)) == ("cannot ship 17\nmade before", None)
    assert "made before" not in written(record, handler_with(mail_formatter()))


def test_overlong_texts_are_cut_where_they_always_were():
    """Be it the message that is so long, or the exception."""

    def at_length():
        raise ValueError("y" * 2 * HEAD)

    for record in (record_of("%s", "x" * 2 * HEAD), record_of(fail=at_length)):
        handler = handler_with(mail_formatter())
        assert written(record, handler) == shorten(handler.format(record))
        assert len(text_of(record, handler)[0]) <= len(shorten("x" * 3 * HEAD))


def test_arguments_are_those_of_the_moment_although_the_traceback_is_written_later(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    handler.setFormatter(mail_formatter())
    logger = make_logger(handler)
    order = ["apples"]

    try:
        plain()
    except KeyError:
        logger.exception("cannot ship %s", order)
    order.append("pears")
    handler.flush()
    [mail] = sink.mails

    assert "\n\ncannot ship ['apples']\nTraceback (most recent call last):\n" in mail.text
    assert mail.text.rstrip().endswith("KeyError: 'order'")
    assert LATER not in mail.text


def test_a_report_leaves_the_traceback_to_whoever_sends_it(make_handler):
    handler: ErrorMailHandler = make_handler("127.0.0.1:9")
    handler.setFormatter(mail_formatter())
    record = record_of()
    report = handler._report(record, 1)

    assert report.trace is not None
    assert LATER in report.text
    assert report.written() == handler.format(record)
