"""Faults of the relay: they do not affect the app, and the counts stay exact."""

import itertools
import logging
import os
import signal
import socket
import struct
import threading
import time

import pytest

from app_client.delivery import backoff, courier, message
from tests.support.smtp_sinks import (
    MisbehavingServer,
    Sink,
    answer_lines,
    closed_port,
    hang,
    receive_mail_then,
    wait_until,
)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def send_garbage(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff nonsense\r\n" * 3)


def refuse_service(connection: socket.socket) -> None:
    list(answer_lines(connection, b"554 no service here\r\n", b"221 bye\r\n"))


def refuse_ehlo(connection: socket.socket) -> None:
    list(answer_lines(connection, b"220 x\r\n", b"500 what?\r\n", b"500 what?\r\n"))


def disconnect_after_rcpt(connection: socket.socket) -> None:
    list(answer_lines(connection, b"220 x\r\n", b"250 x\r\n", b"250 OK\r\n"))


BEHAVIOURS = [hang, reset, send_garbage, refuse_service, refuse_ehlo, disconnect_after_rcpt]


@pytest.mark.parametrize("behave", BEHAVIOURS)
def test_a_misbehaving_relay_is_retried_without_an_effect_on_the_app(behave, make_handler, make_logger, capsys):
    with MisbehavingServer(behave) as relay:
        handler = make_handler(relay.mailhost, timeout=0.2)
        make_logger(handler).error("an error")
        wait_until(lambda: relay.connections >= 3)

        assert handler.pending == 1
        assert handler.dropped == 0
    assert capsys.readouterr().err.count("will retry") == 1


@pytest.mark.parametrize("behave", BEHAVIOURS)
def test_logging_does_not_wait_for_a_misbehaving_relay(behave, make_handler, make_logger):
    """If logging waited for the relay, this would take many times the timeout."""
    with MisbehavingServer(behave) as relay:
        handler = make_handler(relay.mailhost, timeout=60)
        logger = make_logger(handler)
        done = threading.Event()

        def log():
            for character in itertools.chain.from_iterable(itertools.repeat("abcdefgh", 50)):
                logger.error("error %s", character)
            done.set()

        threading.Thread(target=log, daemon=True).start()

        assert done.wait(20)
        assert handler.pending + handler.dropped == 400


def test_a_relay_that_answers_byte_by_byte_gets_the_mail(make_handler, make_logger):
    contents: list[bytes] = []

    class SlowSocket(socket.socket):
        def sendall(self, reply, _flags=0):
            for number in range(len(reply)):
                super().sendall(reply[number : number + 1])
                time.sleep(0.002)

    def behave(connection):
        with SlowSocket(fileno=connection.detach()) as slow:
            receive_mail_then(slow, contents.append)
            slow.sendall(b"250 at last\r\n")

    with MisbehavingServer(behave) as relay:
        handler = make_handler(relay.mailhost)
        make_logger(handler).error("patience")
        handler.flush(20)

        assert handler.pending == handler.dropped == 0
    assert len(contents) == 1


def test_logging_does_not_wait_for_a_blocked_stderr(make_handler, make_logger, monkeypatch):
    """The sending thread may block when it reports a problem; the app must not."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    stuck = os.fdopen(writer, "w", buffering=1)
    monkeypatch.setattr("sys.stderr", stuck)
    handler = make_handler(("127.0.0.1", closed_port()))
    logger = make_logger(handler)

    for number in range(100):
        logger.error("error %s", "x" * number)
        time.sleep(0.001)  # so that the other thread reaches its report
    pending = handler.pending
    os.close(reader)  # wakes the writer with an error
    wait_until(lambda: handler._sender()._courier._reported)
    monkeypatch.undo()

    assert pending == 100
    with pytest.raises(BrokenPipeError):
        stuck.close()


def test_errors_wait_for_an_unavailable_relay(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    sink.stop()

    logger.error("early")
    wait_until(lambda: handler._sender()._backoff.failures >= 2)
    sink.start()
    handler.flush(20)

    assert [mail.text for mail in sink.mails] == ["early\n"]


def test_a_traceback_shows_the_source_at_the_time_of_the_error(sink, make_handler, make_logger, tmp_path):
    """A deployment may replace the files before the relay is back."""
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    sink.stop()
    logger.error("the first one is in hand")
    source = tmp_path / "views.py"
    source.write_text("def ship(): return {}['order']\nship()\n")
    try:
        exec(compile(source.read_text(), str(source), "exec"), {})
    except KeyError:
        logger.exception("failed")
    wait_until(lambda: all(report.trace is None or report.trace.is_formatted for report in waiting(handler)))
    source.write_text("# all is new\n" * 9)
    sink.start()
    handler.flush(20)

    assert "    ship()\n" in sink.mails[1].text
    assert "all is new" not in sink.mails[1].text


def waiting(handler):
    return handler._sender()._queue.waiting()


def test_a_relay_that_restarts_during_a_storm_gets_every_error_once(make_handler, make_logger):
    """SMTP sessions are cut repeatedly. By record id no error is lost or counted twice."""
    relay = Sink().start()
    handler = make_handler(relay.mailhost, queue_size=10_000)
    logger = make_logger(handler)
    words = ["".join(characters) for characters in itertools.product("abcdefgh", repeat=3)]

    for number, word in enumerate(words):
        logger.error("failed at %s", word)
        if number % 100 == 50:
            relay.wait_for(len(relay.mails) + 1)
            relay.stop()
            relay.start()
    handler.flush(20)
    relay.stop()
    by_id = {mail.record_id: mail for mail in relay.mails}

    assert handler.pending == handler.dropped == 0
    assert sum(mail.count for mail in by_id.values()) == len(words)
    assert sorted(mail.text for mail in by_id.values()) == sorted(f"failed at {word}\n" for word in words)


def test_a_mail_without_a_reply_is_repeated_unchanged(make_handler, make_logger):
    """Same record id, count and bytes, although equal errors have come meanwhile."""
    contents = []
    go_on = threading.Event()

    def finish(content):
        contents.append(content)
        go_on.wait(20)  # then the connection ends without a reply

    with MisbehavingServer(lambda connection: receive_mail_then(connection, finish)) as relay:
        handler = make_handler(relay.mailhost)
        logger = make_logger(handler)
        for _ in range(3):
            logger.error("equal")
            wait_until(lambda: contents)
        go_on.set()
        wait_until(lambda: len(contents) >= 3)

        assert len(set(contents)) == 1
        assert b"X-Error-Mail-Count: 1\r\n" in contents[0]
        assert handler.pending == 3


def test_a_permanently_refused_mail_is_dropped_and_reported_by_the_next(make_handler, make_logger, capsys):
    relay = Sink(answer=lambda mail: "554 never" if "unwanted" in mail.text else "250 OK").start()
    handler = make_handler(relay.mailhost)
    logger = make_logger(handler)

    logger.error("unwanted")
    handler.flush()
    assert (handler.pending, handler.dropped) == (0, 1)
    logger.error("welcome")
    handler.flush()
    logger.error("another")
    handler.flush()
    relay.stop()

    assert len(relay.attempted) == 3
    assert [(mail.text, mail.dropped) for mail in relay.mails] == [("welcome\n", 1), ("another\n", 0)]
    assert "554 never" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["452 no space", "451 surprise", "421 closing", "530 who are you?"])
def test_a_temporarily_refused_mail_is_retried(answer, make_handler, make_logger):
    answers = iter([answer, answer])
    relay = Sink(answer=lambda _mail: next(answers, "250 OK")).start()
    handler = make_handler(relay.mailhost)

    make_logger(handler).error("patience")
    handler.flush(20)
    relay.stop()

    assert len(relay.attempted) == 3
    assert len({mail.record_id for mail in relay.attempted}) == 1
    assert handler.dropped == 0


def test_a_mail_that_is_always_deferred_does_not_block_others(make_handler, make_logger, monkeypatch):
    monkeypatch.setattr(backoff, "PAUSES", (0.001,))
    relay = Sink(answer=lambda mail: "451 surprise" if "poison" in mail.text else "250 OK").start()
    handler = make_handler(relay.mailhost)
    logger = make_logger(handler)

    logger.error("poison")
    logger.error("welcome")
    [mail] = relay.wait_for(1)
    relay.stop()

    assert mail.text == "welcome\n"
    assert mail.dropped == 1


def test_errors_that_do_not_fit_are_reported_by_the_next_mail(make_handler, make_logger):
    """The limit is three mails, including the one in flight. Equal errors need no space."""
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: "250 OK" if gate.wait(20) else "451").start()
    handler = make_handler(relay.mailhost, queue_size=3)
    logger = make_logger(handler)

    logger.error("first")
    wait_until(lambda: relay.attempted)
    for character in "abcdefgh":
        logger.error("error %s", character)
    logger.error("error %s", "x")
    assert (handler.pending, handler.dropped) == (3, 7)
    gate.set()
    handler.flush(20)
    logger.error("last")
    handler.flush(20)
    relay.stop()

    assert [mail.text for mail in relay.mails] == ["first\n", "error a\n", "error b\n", "last\n"]
    assert [mail.dropped for mail in relay.mails] == [0, 7, 0, 0]
    assert handler.dropped == 0


def test_dropped_errors_are_reported_again_when_their_mail_is_refused(make_handler, make_logger):
    answers = iter(["250 OK", "554 not this one"])
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: next(answers, "250 OK") if gate.wait(20) else "451").start()
    handler = make_handler(relay.mailhost, queue_size=2)
    logger = make_logger(handler)

    logger.error("first")
    wait_until(lambda: relay.attempted)
    for character in "abcde":
        logger.error("error %s", character)
    gate.set()
    handler.flush(20)
    logger.error("last")
    handler.flush(20)
    relay.stop()

    assert [(mail.text, mail.dropped) for mail in relay.attempted] == [("first\n", 0), ("error a\n", 4), ("last\n", 5)]


def test_memory_is_bounded_by_bytes_too(make_handler, make_logger):
    handler = make_handler(("127.0.0.1", closed_port()), queue_size=1000, queue_bytes=1_000_000)
    logger = make_logger(handler)

    for character in itertools.islice(itertools.product("abcdefgh", repeat=3), 100):
        logger.error("error %s %s", character, "x" * 100_000)

    assert 5 <= handler.pending <= 10
    assert handler.pending + handler.dropped == 100


class Unprintable:
    def __str__(self):
        raise RuntimeError("no text today")


@pytest.mark.parametrize(
    "arguments", [("%d", "no number"), ("%s", Unprintable()), ("%s %s", 1)], ids=["%d", "str", "few"]
)
def test_a_record_that_cannot_be_formatted_is_counted_and_never_raises(
    sink, make_handler, make_logger, capsys, arguments
):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    logger.error(*arguments)
    assert handler.dropped == 1
    logger.error("fine")
    handler.flush()

    assert [(mail.text, mail.dropped) for mail in sink.mails] == [("fine\n", 1)]
    assert "--- Logging error ---" in capsys.readouterr().err


def test_nothing_is_raised_if_stderr_is_closed(sink, make_handler, make_logger, monkeypatch):
    with open(os.devnull, "w") as closed:  # noqa: PTH123 - a closed file is needed
        pass
    monkeypatch.setattr("sys.stderr", closed)
    handler = make_handler(sink.mailhost)

    make_logger(handler).error("%d", "no number")

    assert handler.dropped == 1


def test_a_formatter_that_logs_errors_causes_no_loop(sink, make_handler, make_logger):
    class LoggingFormatter(logging.Formatter):
        def format(self, record):
            logger.error("while formatting")
            return super().format(record)

    handler = make_handler(sink.mailhost)
    handler.setFormatter(LoggingFormatter())
    logger = make_logger(handler)

    logger.error("outer")
    handler.flush()

    assert [mail.text for mail in sink.mails] == ["outer\n"]
    assert handler.pending == 0
    assert sink.mails[0].dropped + handler.dropped == 1


def test_an_error_logged_while_sending_causes_no_loop(sink, make_handler, make_logger, monkeypatch):
    """As with an instrumented socket library that logs errors for every mail."""

    def logging_compose(*arguments):
        logger.error("while sending")
        return message.compose(*arguments)

    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    monkeypatch.setattr(courier, "compose", logging_compose)

    logger.error("outer")
    handler.flush()

    assert [mail.text for mail in sink.mails] == ["outer\n"]
    assert handler.dropped == 1


def test_a_signal_handler_may_log_during_logging(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    fired = itertools.count()
    previous = signal.signal(signal.SIGALRM, lambda *_: (next(fired), logger.error("in the signal handler")))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        for _ in range(300):
            logger.error("in the main line")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    handler.flush(20)
    counted = sink.occurrences + sum(mail.dropped for mail in sink.mails) + handler.dropped

    assert counted == 300 + next(fired)


def test_flush_waits_no_longer_than_its_timeout(make_handler, make_logger):
    with MisbehavingServer(hang) as relay:
        handler = make_handler(relay.mailhost, timeout=60)
        make_logger(handler).error("stuck")
        started = time.monotonic()

        handler.flush(0.1)

        assert 0.1 <= time.monotonic() - started < 20
        assert handler.pending == 1


def test_flush_does_not_wait_for_later_records(make_handler, make_logger):
    """It returns although other threads continue to log."""
    relay = Sink().start()
    handler = make_handler(relay.mailhost)
    logger = make_logger(handler)
    over = threading.Event()

    def storm():
        for number in itertools.count():
            logger.error("storm %s", "abcdefgh"[number % 8])
            if over.wait(0.0005):
                return

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        logger.error("before")
        handler.flush(20)
        assert "before\n" in [mail.text for mail in relay.mails]
    finally:
        over.set()
        thread.join()
        handler.flush(20)
        relay.stop()


def test_close_ends_in_time_and_reports_the_number_of_lost_errors(make_handler, make_logger, capsys):
    with MisbehavingServer(hang) as relay:
        handler = make_handler(relay.mailhost, timeout=60, exit_timeout=0.1)
        logger = make_logger(handler)
        for _ in range(3):
            logger.error("stuck")
        wait_until(lambda: relay.connections)

        handler.close()

        assert handler.pending == 0
        assert handler.dropped == 3
    assert "the last errors; dropped (3)\n" in capsys.readouterr().err


def test_flush_and_close_share_one_limit(make_handler, make_logger, monkeypatch):
    """`logging.shutdown` calls both at the exit of the interpreter."""
    handler = make_handler(("127.0.0.1", closed_port()), exit_timeout=0.5)
    make_logger(handler).error("nobody there")
    drain = handler._sender().drain
    limits = []

    def recording(limit):
        limits.append(limit)
        return drain(limit)

    monkeypatch.setattr(handler._sender(), "drain", recording)

    handler.flush()
    handler.close()

    assert limits[0] == 0.5
    assert limits[1] <= 0


def test_flush_delivers_in_its_own_thread_if_no_thread_can_start(sink, make_handler, make_logger, monkeypatch):
    """As in an interpreter that is about to end."""
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "error-mail":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    logger.error("one")
    logger.error("two")
    assert not sink.mails
    handler.close()

    assert [mail.text for mail in sink.mails] == ["one\n", "two\n"]


def test_each_problem_is_reported_once_until_a_mail_is_accepted(make_handler, make_logger, capsys):
    answers = iter(["451 a", "554 b", "451 a", "554 b", "250 OK", "451 a", "250 OK"])
    relay = Sink(answer=lambda _mail: next(answers)).start()
    handler = make_handler(relay.mailhost)
    logger = make_logger(handler)

    for word in ("one", "two", "three", "four"):
        logger.error(word)
        handler.flush(20)
    relay.stop()

    assert capsys.readouterr().err.splitlines() == [
        f"error mail to 127.0.0.1 port {relay.port}: {remark}"
        for remark in (
            "cannot deliver at the moment, will retry (SMTPDataError: 451 a)",
            "the relay refused a mail, which is dropped (SMTPDataError: 554 b)",
            "cannot deliver at the moment, will retry (SMTPDataError: 451 a)",
        )
    ]
