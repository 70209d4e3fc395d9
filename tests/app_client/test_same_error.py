"""One error is one error: from the stock handler with the documented format, and from ours with its JSON part.

Both handlers get the very same record, made by really raising, and send it to a real server; the relay's own code reads
what arrives. Only the mail's way differs, so the fingerprint must not.
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
from app_client.delivery.queue import Parcel
from app_client.handler import ErrorMailHandler
from relay.grouping.fingerprint import fingerprint
from relay.model import Form, Report
from relay.redact import redact
from tests.support.mails import read_by_relay
from tests.support.smtp_sinks import Sink

Raiser = Callable[[], object]


class Told:
    """A record's two mails, as the relay understands them."""

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
def sent() -> Iterator[Callable[[logging.LogRecord], Told]]:
    """Sends a record by both handlers over a real connection each."""
    sink = Sink().start()
    stock, ours = handlers(sink.mailhost)

    def send(record: logging.LogRecord) -> Told:
        before = len(sink.mails)
        stock.handle(record)
        ours.handle(record)
        ours.flush(20)
        first, second = sink.wait_for(before + 2)[before:]
        return Told(first.content, second.content)

    yield send
    ours.close()
    sink.stop()


def composed(record: logging.LogRecord) -> Told:
    """The same without the connections, for the many; the stock mail is made as the stock handler makes it."""
    stock, ours = handlers(("127.0.0.1", 9))
    report = ours._report(record, 1)
    parcel = Parcel(record_id="0123456789abcdef" * 2, report=report, count=1, dropped=0)
    mail = EmailMessage(SMTP)
    mail["From"], mail["Subject"] = "server-error@example.com", "YourApplication Failed"
    mail.set_content(stock.format(record))
    return Told(mail.as_bytes(), compose(parcel, ours._origin))


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
    """The functions of `source`, as if it stood in that file."""
    names: dict[str, Callable[..., object]] = {"__name__": "shop.cart"}  # type: ignore[dict-item]
    exec(compile(textwrap.dedent(source), path, "exec"), names)  # frames of any file are to be had only so
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
    """Wherever its data shows itself by its form."""
    sent(record(message, *arguments)).assert_same()


def test_an_exception_that_was_never_raised_is_the_same_error(sent):
    sent(record("failed", exc_info=(ValueError, ValueError("never raised"), None))).assert_same()


def test_the_text_of_an_exception_from_another_process_is_the_same_error(sent):
    """As after a QueueHandler, which leaves only the text."""
    text = 'Traceback (most recent call last):\n  File "/srv/shop/a.py", line 3, in f\nKeyError: 1'
    sent(record("failed", exc_text=text)).assert_same()


def test_secrets_do_not_tell_the_two_apart(sent):
    secret = app_code("def fail(): raise ValueError('login with password=hunter2hunter2 failed')")["fail"]
    told = sent(record("token=%s", "hunter2hunter2", raiser=secret))

    told.assert_same()
    assert "hunter2" not in repr(told.ours)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_generated_errors_are_the_same(data):
    """Programs made up of calls, handlers and raises, with any texts in them."""
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


def test_words_that_the_app_says_to_be_data_do_not_tell_errors_apart():
    told = [composed(record("no such customer: %s", name)) for name in ("anna", "benedict", "17")]

    assert len({fingerprint(each.ours).key for each in told}) == 1
    assert len({fingerprint(each.stock).key for each in told}) == 3
    assert fingerprint(told[0].ours).title == "no such customer: <value>"
    assert fingerprint(told[2].ours).key == fingerprint(told[2].stock).key


class Brief(MailFormatter):
    def formatException(self, ei):  # noqa: N802 - the stock name
        return f"{ei[0].__name__}: {ei[1]}"


BEYOND = ("group", "nested", "syntax", "ring", "long", "odd")


@pytest.mark.parametrize("name", [name for name in RAISERS if name not in BEYOND])
def test_a_formatter_that_leaves_out_the_trace_does_not_change_the_error(name):
    """The lines of source are all that is missing; groups need the text, and so do errors beyond the JSON's bounds."""
    failed = record("failed", raiser=RAISERS[name])
    _, handler = handlers(("127.0.0.1", 9))
    handler.setFormatter(Brief())
    report = handler._report(failed, 1)
    parcel = Parcel(record_id="0" * 32, report=report, count=1, dropped=0)
    brief: Report = redact(read_by_relay(compose(parcel, handler._origin)))
    whole = composed(failed).ours

    assert "Traceback" not in brief.message
    if name not in ("three hundred deep", "chain_of_many"):
        assert fingerprint(brief).key == fingerprint(whole).key
    assert fingerprint(brief).title == fingerprint(whole).title
