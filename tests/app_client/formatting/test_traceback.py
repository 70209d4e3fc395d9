"""A traceback that is formatted later has the same text, and keeps no object of the request alive."""

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
from app_client.formatting.traceback import TRACE_PLACEHOLDER, Trace, capture


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


def suppressed():
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
    except Exception as error:  # noqa: BLE001 - the subject of the test
        return error
    raise AssertionError("did not fail")


def several():
    raise ExceptionGroup("several", [caught(plain), ExceptionGroup("inner", [caught(caused), caught(noted)])])


def large_group():
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
    plain, over_several_lines, wide_characters, caused, in_passing, suppressed, ring, noted, several, large_group,
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
def test_text_equals_that_of_logging(fail):
    error = caught(fail)

    assert captured(error).text() == logging.Formatter().formatException(info_of(error))


def test_a_traceback_given_separately_is_used():
    """As with `logger.error(..., exc_info=(type, error, traceback))`."""
    other = caught(caused).__traceback__
    info = (KeyError, KeyError("order"), other)
    trace = capture(info)

    assert trace is not None
    assert trace.text() == logging.Formatter().formatException(info)


def test_an_exception_that_was_never_raised_has_a_text():
    assert captured(KeyError("order")).text() == "KeyError: 'order'"


def test_source_that_only_the_module_loader_has_is_shown(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("packed_views.py", "def ship(order):\n    return {}[order]\n")
    monkeypatch.syspath_prepend(tmp_path / "app.zip")
    error = caught(lambda: importlib.import_module("packed_views").ship(17))
    linecache.clearcache()

    trace = captured(error)

    assert "    return {}[order]\n" in trace.text()
    assert trace.text() == logging.Formatter().formatException(info_of(error))


def test_later_changes_of_the_exception_are_not_shown():
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


def test_a_captured_trace_keeps_no_object_of_the_request_alive():
    """Neither the exceptions nor their frames and locals."""

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


def test_capture_reads_no_file(monkeypatch):
    """It runs during a request, and the disk may be slow or broken."""
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


class CustomList(list):
    pass


@pytest.mark.parametrize("notes", ["text", ["one", Order()], ("a", "b"), CustomList(["a"]), Order()], ids=repr)
def test_notes_that_may_change_later_are_not_captured(notes):
    error = caught(plain)
    error.__notes__ = notes

    assert capture(info_of(error)) is None


def test_with_a_traceback_limit_nothing_is_captured(monkeypatch):
    error = caught(recursion)
    monkeypatch.setattr(sys, "tracebacklimit", 3, raising=False)

    assert capture(info_of(error)) is None


def test_an_exception_that_cannot_be_formatted_gives_a_minimal_traceback():
    """The standard library fails to format it; the error is mailed nevertheless."""
    odd = SyntaxError("odd")
    odd.text, odd.offset, odd.lineno = "order", "nowhere", 1  # type: ignore[assignment]
    error = caught(lambda: (_ for _ in ()).throw(odd))

    text = captured(error).text()

    assert text.startswith("Traceback (most recent call last):\n")
    assert f'  File "{__file__}", line ' in text
    assert text.splitlines()[-1].startswith("SyntaxError: ")


def test_weight_grows_with_the_depth_of_the_traceback():
    shallow, deep = captured(caught(plain)), captured(caught(recursion))

    assert deep.weight > shallow.weight + 200 * 50


@pytest.fixture
def threads_switch_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("threads_switch_often")
def test_threads_that_request_a_text_at_the_same_time_all_get_it():
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


def full_text(record: logging.LogRecord, handler: logging.Handler) -> str:
    text, trace = text_of(record, handler)
    return shorten(text.replace(TRACE_PLACEHOLDER, trace.text())) if trace else text


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
def test_a_standard_traceback_is_formatted_later_with_the_same_text(formatter):
    handler = handler_with(formatter)
    record = record_of(stack_info="Stack (most recent call last):\n  here")

    text, trace = text_of(record, handler)
    later = full_text(record, handler)

    assert trace is not None
    assert "ZeroDivisionError" not in text.replace(repr(record.exc_info[1]), "")  # type: ignore[index]
    assert record.exc_text is None
    assert later.replace(str(trace.text()), "None", later.count(trace.text()) - 1) == handler.format(record)


class OwnException(MailFormatter):
    def formatException(self, exc_info):  # noqa: N802 - the standard name
        return f"in {threading.current_thread().name}: {exc_info[0].__name__}"


class OwnFormat(logging.Formatter):
    def format(self, record):
        return f"own: {super().format(record)}"


class OwnMessage(MailFormatter):
    def formatMessage(self, record):  # noqa: N802 - the standard name
        return f"{record.exc_info[0].__name__} at {record.getMessage()}"

    def formatTime(self, record, datefmt=None):  # noqa: N802 - the standard name
        return "noon"


class OwnHandler(logging.Handler):
    def format(self, record):
        return super().format(record).upper()


def on_the_instance() -> logging.Formatter:
    formatter = mail_formatter()
    formatter.formatException = lambda _info: "patched"  # type: ignore[method-assign, assignment]
    return formatter


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (handler_with(OwnException()), "in MainThread: TypeError"),
        (handler_with(OwnFormat()), "own: cannot ship 17"),
        (handler_with(on_the_instance()), "\npatched"),
        (handler_with(None, OwnHandler), "CANNOT SHIP 17"),
    ],
    ids=["formatException", "format", "instance", "handler"],
)
def test_overridden_formatting_of_the_app_is_called_at_once(handler, expected):
    text, trace = text_of(record_of(), handler)

    assert trace is None
    assert expected in text


def test_other_overridden_methods_get_the_whole_record():
    handler = handler_with(OwnMessage("%(asctime)s %(message)s"))
    record = record_of()

    assert full_text(record, handler) == handler.format(record)
    assert full_text(record, handler).startswith("TypeError at cannot ship 17\n")


def test_a_text_cached_by_another_formatter_is_reused_like_in_logging():
    record = record_of(exc_text="made before")

    assert text_of(record, handler_with(None)) == ("cannot ship 17\nmade before", None)
    assert "made before" not in full_text(record, handler_with(mail_formatter()))


def test_an_overlong_text_is_shortened_in_the_same_place():
    """For an overlong message and for an overlong exception."""

    def at_length():
        raise ValueError("y" * 2 * HEAD)

    for record in (record_of("%s", "x" * 2 * HEAD), record_of(fail=at_length)):
        handler = handler_with(mail_formatter())
        assert full_text(record, handler) == shorten(handler.format(record))
        assert len(text_of(record, handler)[0]) <= len(shorten("x" * 3 * HEAD))


def test_arguments_are_formatted_at_the_time_of_the_error(sink, make_handler, make_logger):
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
    assert TRACE_PLACEHOLDER not in mail.text


def test_the_traceback_of_a_report_is_formatted_later(make_handler):
    handler: ErrorMailHandler = make_handler("127.0.0.1:9")
    handler.setFormatter(mail_formatter())
    record = record_of()
    report = handler._report(record, 1)

    assert report.trace is not None
    assert TRACE_PLACEHOLDER in report.text
    assert report.full_text() == handler.format(record)
