"""An error has the same fingerprint from the standard handler and from `ErrorMailHandler` with its JSON part.

Both handlers get the same record, with a really raised exception, and send it to a real server. The code of the relay
parses the received mails. Only the way of sending differs, so the fingerprint must not differ.
"""

import logging
import sys
import textwrap
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from logging.handlers import SMTPHandler

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_client import MAIL_FORMAT, MailFormatter, mail_formatter
from app_client.delivery.message import compose
from app_client.delivery.queue import QueuedMail
from app_client.handler import ErrorMailHandler
from relay.grouping.fingerprint import fingerprint
from relay.model import Form, Report
from relay.redact import redact
from tests.support.mails import read_by_relay
from tests.support.smtp_sinks import Sink

Raiser = Callable[[], object]


class MailPair:
    """The two mails of one record, as the relay parses them."""

    def __init__(self, stock: bytes, ours: bytes) -> None:
        self.stock, self.ours = (redact(read_by_relay(content)) for content in (stock, ours))

    def assert_same(self) -> None:
        assert (self.stock.form, self.ours.form) == (Form.DOCUMENTED, Form.CLIENT)
        assert self.ours.process, "the JSON part was not read"
        assert (self.ours.message, self.ours.trace) == (self.stock.message, self.stock.trace)
        assert fingerprint(self.ours).key == fingerprint(self.stock).key


def handlers(mailhost: tuple[str, int]) -> tuple[SMTPHandler, ErrorMailHandler]:
    arguments = ("server-error@example.com", ["yourname@example.com"], "YourApplication Failed")
    stock, ours = SMTPHandler(mailhost, *arguments), ErrorMailHandler(mailhost, *arguments)
    stock.setFormatter(logging.Formatter(MAIL_FORMAT))
    ours.setFormatter(mail_formatter())
    return stock, ours


@pytest.fixture(scope="module")
def sent() -> Iterator[Callable[[logging.LogRecord], MailPair]]:
    """Return a function that sends a record through both handlers, over real connections."""
    sink = Sink().start()
    stock, ours = handlers(sink.mailhost)

    def send(record: logging.LogRecord) -> MailPair:
        before = len(sink.mails)
        stock.handle(record)
        ours.handle(record)
        ours.flush(20)
        first, second = sink.wait_for(before + 2)[before:]
        return MailPair(first.content, second.content)

    yield send
    ours.close()
    sink.stop()


def composed(record: logging.LogRecord) -> MailPair:
    """Compose both mails without a connection, for generated tests; the standard mail as `SMTPHandler` composes it."""
    stock, ours = handlers(("127.0.0.1", 9))
    report = ours._report(record, 1)
    queued = QueuedMail(record_id="0123456789abcdef" * 2, report=report, count=1, dropped=0)
    mail = EmailMessage(SMTP)
    mail["From"], mail["Subject"] = "server-error@example.com", "YourApplication Failed"
    mail.set_content(stock.format(record))
    return MailPair(mail.as_bytes(), compose(queued, ours._origin))


def record(message: object, *arguments: object, raiser: Raiser | None = None, **changes: object) -> logging.LogRecord:
    info = None
    if raiser is not None:
        try:
            raiser()
        except BaseException:  # noqa: BLE001 - KeyboardInterrupt and the like are errors to log, too
            info = sys.exc_info()
    made = logging.LogRecord(
        "yourapplication", logging.ERROR, "/srv/shop/views.py", 42, message, arguments, info, "checkout"
    )
    made.__dict__.update(changes)
    return made


# --- Errors of every shape --------------------------------------------------------------------------------------------


def app_code(source: str, path: str = "/srv/shop/cart.py") -> dict[str, Callable[..., object]]:
    """Return the functions of `source`, compiled as if it were that file."""
    names: dict[str, Callable[..., object]] = {"__name__": "shop.cart"}  # type: ignore[dict-item]
    exec(compile(textwrap.dedent(source), path, "exec"), names)  # the only way to get frames of any file
    return names


APP = app_code(
    """
    class PaymentError(Exception): pass
    class Odd(Exception):
        def __str__(self): raise RuntimeError("no text today")
    def divide(): return 1 / 0
    def cause():
        try: divide()
        except ZeroDivisionError as error: raise PaymentError("cannot pay order 17") from error
    def context():
        try: divide()
        except ZeroDivisionError: return {}["missing"]
    def hidden():
        try: divide()
        except ZeroDivisionError: raise PaymentError("clean") from None
    def deep(depth):
        if depth: return deep(depth - 1)
        raise ValueError(f"at the bottom of {depth}")
    def recursion(): return recursion()
    def syntax(): exec(compile("def broken(:", "/srv/shop/rules.py", "exec"))
    def library():
        import json
        return json.loads("{not json}")
    def group():
        errors = []
        for each in (divide, cause, context):
            try: each()
            except Exception as error: errors.append(error)
        raise ExceptionGroup("several at once", errors)
    def nested():
        try: group()
        except ExceptionGroup as error: raise ExceptionGroup("outer", [error, ValueError("plain")])
    def noted():
        try: divide()
        except ZeroDivisionError as error:
            error.add_note("while dividing")
            raise
    def odd(): raise Odd()
    def lines(): raise ValueError("first line\\nsecond line\\n\\n  indented")
    def umlauts(): raise KeyError("größer als 注文 \\udcff")
    def long(): raise ValueError("x" * 5000)
    def interrupted(): raise KeyboardInterrupt
    def leaving(): raise SystemExit(3)
    def ring():
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        raise first
    def chain_of_many(number=30):
        if not number: raise ValueError("the first")
        try: chain_of_many(number - 1)
        except Exception as error: raise RuntimeError(f"step {number}") from error
    def system(): open("/no/such/file")
    def inside(): return [divide() for _ in (1,)]
    def local():
        class Local(Exception): pass
        raise Local("here")
    """
)
RAISERS = {name: made for name, made in APP.items() if name[0].islower() and name != "deep" and callable(made)}
RAISERS["forty deep"] = lambda: APP["deep"](40)
RAISERS["three hundred deep"] = lambda: APP["deep"](300)
LIBRARY_ONLY = app_code("def parse(): return {}['x']", "/venv/lib/python3.11/site-packages/otherlibrary/parse.py")
RAISERS["library alone"] = LIBRARY_ONLY["parse"]


@pytest.mark.parametrize("name", RAISERS)
def test_an_exception_is_the_same_error(sent, name):
    sent(record("Exception on /orders/17 [GET]", raiser=RAISERS[name])).assert_same()


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("the queue is full", ()),
        ("order %d of %s failed after %.1f s", (17, "anna@example.com", 3.2)),
        ("cannot reach %s:%d", ("10.0.0.7", 8080)),
        ("%s", ("all of it is an argument",)),
        ("no message %r", (None,)),
        ("lines\nof %d\nmessage", (3,)),
        ("100%% of %s", ({"a": [1, 2]},)),
        ({"no": "text"}, ()),
        (ValueError("an error for a message"), ()),
        ("%(count)d of %(all)d", ({"count": 3, "all": 7},)),
        ("", ()),
    ],
    ids=range(11),
)
def test_a_message_without_an_exception_is_the_same_error(sent, message, arguments):
    """If the relay recognises the data in it by its format."""
    sent(record(message, *arguments)).assert_same()


def test_an_exception_that_was_never_raised_is_the_same_error(sent):
    sent(record("failed", exc_info=(ValueError, ValueError("never raised"), None))).assert_same()


def test_the_text_of_an_exception_from_another_process_is_the_same_error(sent):
    """As after a QueueHandler, which keeps only the text."""
    text = 'Traceback (most recent call last):\n  File "/srv/shop/a.py", line 3, in f\nKeyError: 1'
    sent(record("failed", exc_text=text)).assert_same()


def test_secrets_do_not_change_the_fingerprint(sent):
    secret = app_code("def fail(): raise ValueError('login with password=hunter2hunter2 failed')")["fail"]
    pair = sent(record("token=%s", "hunter2hunter2", raiser=secret))

    pair.assert_same()
    assert "hunter2" not in repr(pair.ours)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_generated_errors_are_the_same(data):
    """Programs of generated calls, exception handlers and raises, with arbitrary texts."""
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
    steps = data.draw(st.lists(st.sampled_from(["call", "cause", "context", "none", "group", "note"]), max_size=5))
    kinds = [data.draw(st.sampled_from(["ValueError", "KeyError", "OSError", "Own", "UnicodeError"])) for _ in range(6)]
    texts = [data.draw(text) for _ in range(6)]
    source = ["class Own(Exception): pass", f"def step0(): raise {kinds[0]}({texts[0]!r})"]
    for number, step in enumerate(steps, 1):
        source += _step(step, number, kinds[number], texts[number])
    program = app_code("\n".join(source), data.draw(st.sampled_from(["/srv/shop/cart.py", "<string>", "app.py"])))
    message = data.draw(text)
    composed(record(message, raiser=program[f"step{len(steps)}"])).assert_same()


def _step(step: str, number: int, kind: str, text: str) -> list[str]:
    before = f"step{number - 1}()"
    if step == "call":
        return [f"def step{number}(): return {before}"]
    raises = {
        "cause": f"raise {kind}({text!r}) from error",
        "context": f"raise {kind}({text!r})",
        "none": f"raise {kind}({text!r}) from None",
        "group": f"raise ExceptionGroup({text or 'group'!r}, [error, {kind}({text!r})])",
        "note": f"error.add_note({text!r}); raise",
    }[step]
    return [f"def step{number}():", f"    try: {before}", f"    except Exception as error: {raises}"]


VALUES = st.integers(10, 10**9) | st.floats(1, 1e6) | st.uuids() | st.datetimes() | st.ip_addresses()


@settings(max_examples=100, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=4))
def test_generated_messages_with_data_are_the_same(values):
    composed(record("cannot handle " + ", ".join("%s" for _ in values) + " at the moment", *values)).assert_same()


# --- Where the JSON part knows better ---------------------------------------------------------------------------------


def test_texts_given_as_arguments_do_not_change_the_fingerprint():
    pairs = [composed(record("no such customer: %s", name)) for name in ("anna", "benedict", "17")]

    assert len({fingerprint(each.ours).key for each in pairs}) == 1
    assert len({fingerprint(each.stock).key for each in pairs}) == 3
    assert fingerprint(pairs[0].ours).title == "no such customer: <value>"
    assert fingerprint(pairs[2].ours).key == fingerprint(pairs[2].stock).key


class Brief(MailFormatter):
    def formatException(self, ei):  # noqa: N802 - the standard name
        return f"{ei[0].__name__}: {ei[1]}"


BEYOND = ("group", "nested", "syntax", "ring", "long", "odd")


@pytest.mark.parametrize("name", [name for name in RAISERS if name not in BEYOND])
def test_a_formatter_that_omits_the_trace_does_not_change_the_fingerprint(name):
    """Only the source lines are missing. Groups, and errors beyond the limits of the JSON, need the text."""
    failed = record("failed", raiser=RAISERS[name])
    _, handler = handlers(("127.0.0.1", 9))
    handler.setFormatter(Brief())
    report = handler._report(failed, 1)
    queued = QueuedMail(record_id="0" * 32, report=report, count=1, dropped=0)
    brief: Report = redact(read_by_relay(compose(queued, handler._origin)))
    whole = composed(failed).ours

    assert "Traceback" not in brief.message
    if name not in ("three hundred deep", "chain_of_many"):
        assert fingerprint(brief).key == fingerprint(whole).key
    assert fingerprint(brief).title == fingerprint(whole).title
