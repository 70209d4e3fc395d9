"""Situations of exceptions: the client finds the same situation as the relay does in the text."""

import asyncio
import builtins
import errno
import gc
import http.client
import logging
import os
import random
import socket
import sqlite3
import subprocess
import traceback
from contextlib import closing
from logging.handlers import SMTPHandler
from types import FunctionType
from typing import Any

import psycopg
import pytest
import sqlalchemy
from jinja2 import Environment, StrictUndefined
from sqlalchemy.pool import NullPool, QueuePool

from app_client.capture.situations import situation_of
from app_client.demo.dependencies import failing_dependencies
from app_client.demo.shop import create_app
from app_client.demo.visits import KINDS, Visitors, available_kinds, served
from relay.parse.situations import situation as read_situation
from relay.traces import find
from tests.support.mails import read_by_relay
from tests.support.situations import MATCHING, MISLEADING, At, Case, Raised, printed
from tests.support.smtp_sinks import closed_port, wait_until

STDLIB = os.path.dirname(os.__file__)  # noqa: PTH120 - the spelling of frames


def _fail(error):
    raise error


def _pass_on(error):
    inner(error)  # type: ignore[name-defined]  # noqa: F821 - `framed` gives it


def framed(at: At, inner: FunctionType | None) -> FunctionType:
    """Return a function whose frame has the location `at`; it calls `inner`, or raises."""
    code = (_pass_on if inner else _fail).__code__
    code = code.replace(co_filename=at.file.replace("STDLIB", STDLIB), co_name=at.function)
    return FunctionType(code, {"inner": inner})


def made(raised: Raised) -> BaseException:
    """Create the exception, of a built-in class or of a new class with that name, module and bases."""
    module, _, name = raised.kind.rpartition(".")
    kind = getattr(builtins, name, None) if not module else None
    if kind is None:
        names: dict[str, Any] = {"__module__": module, "__str__": lambda _: raised.text, **raised.attributes}
        kind = type(name, raised.bases, names)
    given = (raised.text.strip("'"),) if kind is KeyError else (raised.text,)
    return kind(*(raised.args or given))


def exception_of(case: Case) -> BaseException:
    """Raise the chain of `case` through its frames; each exception is raised while the previous one is handled."""
    before = None
    for raised in case.chain:
        error = made(raised)
        function = None
        for at in reversed(raised.frames):
            function = framed(at, function)
        try:
            assert function is not None
            function(error)
        except BaseException as caught:  # noqa: BLE001 - SystemExit is one of them
            frames = caught.__traceback__
            error = caught.with_traceback(frames and frames.tb_next)  # without this frame
        error.__context__ = before
        before = error
    assert before is not None
    return before


@pytest.mark.parametrize("case", MATCHING, ids=str)
def test_exception_and_its_text_show_the_same_situation(case):
    found, read = situation_of(exception_of(case)), read_situation(find(printed(case.chain)), "")

    assert found is not None
    assert read is not None
    assert found[0] == read[0] == case.label


@pytest.mark.parametrize("case", MISLEADING, ids=str)
def test_misleading_exceptions_show_no_situation(case):
    assert situation_of(exception_of(case)) is None


def test_reason_is_a_phrase_and_never_the_whole_message():
    error = exception_of(next(case for case in MATCHING if case.about == "with its name"))

    assert situation_of(error) == ("file system full", "OSError: [Errno 28] No space left on device")


@pytest.mark.parametrize(
    "message",
    ["x" * 1_000_000, "(" * 1_000_000, "FATAL: " * 100_000, "a.b" * 300_000],
    ids=["word", "(", "FATAL", "dots"],
)
def test_a_huge_message_is_handled(message):
    assert situation_of(sqlite3.OperationalError(message)) is None


def test_an_exception_that_raises_on_inspection_is_mailed_without_a_situation(sink, make_handler, make_logger):
    class HostileError(Exception):
        def __str__(self):
            raise RuntimeError

        def __getattribute__(self, name):
            if name in ("errno", "response", "code"):
                raise RuntimeError
            return super().__getattribute__(name)

    HostileError.__module__ = "requests.exceptions"
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    logger.error("it failed", exc_info=HostileError())
    [mail] = sink.wait_for(1)

    assert mail.message["X-Error-Mail-Situation"] is None
    assert handler.dropped == 0


def test_a_cycle_of_causes_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first

    assert situation_of(first) is None


@pytest.mark.skipif(not hasattr(errno, "EDQUOT"), reason="this system has no quotas")
def test_situation_and_reason_are_sent_as_headers(sink, make_handler, make_logger):
    logger = make_logger(make_handler(sink.mailhost))

    logger.error("no room", exc_info=OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/srv/a\nX-Forged: 1"))
    [mail] = sink.wait_for(1)

    reason = f"OSError: [Errno {errno.EDQUOT}] {os.strerror(errno.EDQUOT)}"
    assert mail.message["X-Error-Mail-Situation"] == "file system full"
    assert mail.message["X-Error-Mail-Situation-Reason"] == reason
    assert mail.message["X-Forged"] is None
    assert read_by_relay(mail.content).situation_reason == reason


# --- Libraries at hand, for real --------------------------------------------------------------------------------------


def locked(folder, _):
    with closing(sqlite3.connect(folder / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        engine = sqlalchemy.create_engine(
            f"sqlite:///{folder / 'a.db'}", connect_args={"timeout": 0}, poolclass=NullPool
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER)"))


def pool_empty(_, __):
    pool = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}
    engine = sqlalchemy.create_engine("sqlite://", **pool)
    try:
        with engine.connect():
            engine.connect()
    finally:
        engine.dispose()


def no_table(_, __):
    with sqlalchemy.create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 'database is locked' FROM orders"))


def postgres_away(_, port):
    sqlalchemy.create_engine(f"postgresql+psycopg://shop@127.0.0.1:{port}/shop").connect()


def psycopg_away(_, port):
    psycopg.connect(f"host=127.0.0.1 port={port} dbname=shop")


def asyncio_refused(_, port):
    asyncio.run(asyncio.open_connection("127.0.0.1", port))


def silent_backend(_, __):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = http.client.HTTPConnection("127.0.0.1", silent.getsockname()[1], timeout=0.05)
        with closing(connection):
            connection.request("GET", "/")
            connection.getresponse()


def pipe_to_program(_, __):
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as program:
        program.wait()
        assert program.stdin is not None
        os.write(program.stdin.fileno(), b"x")


def undefined_in_template(_, __):
    Environment(undefined=StrictUndefined, autoescape=True).from_string("{{ order.price }}").render()


@pytest.mark.parametrize(
    ("fail", "label"),
    [
        (locked, "database overloaded"),
        (pool_empty, "database overloaded"),
        (postgres_away, "network down"),
        (psycopg_away, "network down"),
        (asyncio_refused, "network down"),
        (silent_backend, "backend overloaded"),
        (no_table, None),
        (pipe_to_program, None),
        (undefined_in_template, None),
    ],
)
def test_client_and_relay_label_real_exceptions_alike(tmp_path, fail, label):
    with pytest.raises(Exception) as raised:
        fail(tmp_path, closed_port())
    text = "".join(traceback.format_exception(raised.value))
    found, read = situation_of(raised.value), read_situation(find(text), "")

    assert (found and found[0]) == (read and read[0].value) == label
    assert (found and found[1].partition(":")[0]) == (read and read[1].partition(":")[0])


# --- The demo's seven failures, for real ------------------------------------------------------------------------------


@pytest.mark.skipif(len(available_kinds()) < len(KINDS), reason="two of the seven kinds need Linux")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the shop leaves 503 responses open
@pytest.mark.parametrize("ours", [False, True], ids=["stock handler", "ErrorMailHandler"])
def test_each_failure_of_the_demo_arrives_with_its_label(sink, make_handler, ours):
    """Three mails are "backend overloaded", because the service does not answer every third request."""
    kinds = [*KINDS, "backend overloaded", "backend overloaded"]
    with failing_dependencies() as config:
        app = create_app(config)
        stock = next(each for each in app.logger.handlers if isinstance(each, SMTPHandler))
        stock.mailhost, stock.mailport = sink.mailhost
        if ours:
            handler = make_handler(sink.mailhost)
            handler.setFormatter(stock.formatter)
            app.logger.removeHandler(stock)
            app.logger.addHandler(handler)
        try:
            with served(app) as address:
                found = [label_of_next_mail(sink, Visitors(address, random.Random(7)), kind) for kind in kinds]
        finally:
            logging.getLogger(app.name).handlers.clear()
            gc.collect()  # collects the shop's open sockets here, where their warnings are ignored

    assert [label for label, _, _ in found] == kinds
    assert all(reason for _, reason, _ in found)
    assert [header is not None for _, _, header in found] == [ours] * len(kinds)


def label_of_next_mail(sink, visitors, kind):
    """Cause an error of this kind; returns situation and reason as the relay reads them, and the client's header."""
    before = len(sink.mails)
    visitors.visit(kind)
    wait_until(lambda: len(sink.mails) > before)
    report = read_by_relay(sink.mails[before].content)
    return (
        report.situation and report.situation.value,
        report.situation_reason,
        sink.mails[before].message["X-Error-Mail-Situation"],
    )
