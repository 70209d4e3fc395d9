"""What the relay may do to the handler: nothing of it reaches the app, and the counts stay right."""

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
from tests.support.smtp_sinks import Sink, Unruly, closed_port, converse, hang, take_mail_and, wait_until


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff nonsense\r\n" * 3)


def turn_away(connection: socket.socket) -> None:
    list(converse(connection, b"554 no service here\r\n", b"221 bye\r\n"))


def refuse_to_greet(connection: socket.socket) -> None:
    list(converse(connection, b"220 x\r\n", b"500 what?\r\n", b"500 what?\r\n"))


def break_off_after_rcpt(connection: socket.socket) -> None:
    list(converse(connection, b"220 x\r\n", b"250 x\r\n", b"250 OK\r\n"))


BEHAVIOURS = [hang, reset, talk_nonsense, turn_away, refuse_to_greet, break_off_after_rcpt]


@pytest.mark.parametrize("behave", BEHAVIOURS)
def test_an_unruly_relay_is_tried_again_and_the_app_sees_nothing_of_it(behave, make_handler, make_logger, capsys):
    with Unruly(behave) as relay:
        handler = make_handler(relay.mailhost, timeout=0.2)
        make_logger(handler).error("an error")
        wait_until(lambda: relay.connections >= 3)

        assert handler.pending == 1
        assert handler.dropped == 0
    assert capsys.readouterr().err.count("trying on") == 1


@pytest.mark.parametrize("behave", BEHAVIOURS)
def test_logging_does_not_wait_for_an_unruly_relay(behave, make_handler, make_logger):
    """A thread that waits for the relay would be here for many times its timeout."""
    with Unruly(behave) as relay:
        handler = make_handler(relay.mailhost, timeout=60)
        logger = make_logger(handler)
        done = threading.Event()

        def log():
            for letter in itertools.chain.from_iterable(itertools.repeat("abcdefgh", 50)):
                logger.error("error %s", letter)
            done.set()

        threading.Thread(target=log, daemon=True).start()

        assert done.wait(20)
        assert handler.pending + handler.dropped == 400


def test_a_relay_that_answers_drop_by_drop_gets_the_mail(make_handler, make_logger):
    contents: list[bytes] = []

    class Dribbling(socket.socket):
        def sendall(self, reply, _flags=0):
            for number in range(len(reply)):
                super().sendall(reply[number : number + 1])
                time.sleep(0.002)

    def behave(connection):
        with Dribbling(fileno=connection.detach()) as slow:
            take_mail_and(slow, contents.append)
            slow.sendall(b"250 at last\r\n")

    with Unruly(behave) as relay:
        handler = make_handler(relay.mailhost)
        make_logger(handler).error("patience")
        handler.flush(20)

        assert handler.pending == handler.dropped == 0
    assert len(contents) == 1


def test_logging_does_not_wait_while_nobody_reads_stderr(make_handler, make_logger, monkeypatch):
    """The thread's own remarks may get stuck; only that thread then does."""
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
        time.sleep(0.001)  # lets the other thread come to its remark
    pending = handler.pending
    os.close(reader)  # wakes the writer with an error
    wait_until(lambda: handler._sender()._courier._said)
    monkeypatch.undo()

    assert pending == 100
    with pytest.raises(BrokenPipeError):
        stuck.close()


def test_errors_wait_for_a_relay_that_is_away(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    sink.stop()

    logger.error("early")
    wait_until(lambda: handler._sender()._pace.failures >= 2)
    sink.start()
    handler.flush(20)

    assert [mail.text for mail in sink.mails] == ["early\n"]


def test_a_traceback_shows_the_source_of_its_time_although_the_relay_comes_later(
    sink, make_handler, make_logger, tmp_path
):
    """A deployment may replace the files meanwhile."""
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
    wait_until(lambda: all(report.trace is None or report.trace.is_written for report in waiting(handler)))
    source.write_text("# all is new\n" * 9)
    sink.start()
    handler.flush(20)

    assert "    ship()\n" in sink.mails[1].text
    assert "all is new" not in sink.mails[1].text


def waiting(handler):
    return handler._sender()._backlog.waiting()


def test_a_relay_that_restarts_in_a_storm_gets_every_error_once(make_handler, make_logger):
    """Cut in the midst of conversations, again and again: by record id nothing is lost and nothing doubled."""
    relay = Sink().start()
    handler = make_handler(relay.mailhost, queue_size=10_000)
    logger = make_logger(handler)
    words = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=3)]

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


def test_a_mail_whose_250_was_missed_comes_again_the_very_same(make_handler, make_logger):
    """Same record id, same count, same bytes, although equal errors came meanwhile."""
    contents = []
    go_on = threading.Event()

    def finish(content):
        contents.append(content)
        go_on.wait(20)  # and then no reply: the connection ends here

    with Unruly(lambda connection: take_mail_and(connection, finish)) as relay:
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


def test_a_mail_refused_for_good_is_dropped_and_the_next_one_says_so(make_handler, make_logger, capsys):
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

    assert len(relay.tried) == 3
    assert [(mail.text, mail.dropped) for mail in relay.mails] == [("welcome\n", 1), ("another\n", 0)]
    assert "554 never" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["452 no space", "451 surprise", "421 closing", "530 who are you?"])
def test_a_mail_refused_for_now_is_tried_again(answer, make_handler, make_logger):
    answers = iter([answer, answer])
    relay = Sink(answer=lambda _mail: next(answers, "250 OK")).start()
    handler = make_handler(relay.mailhost)

    make_logger(handler).error("patience")
    handler.flush(20)
    relay.stop()

    assert len(relay.tried) == 3
    assert len({mail.record_id for mail in relay.tried}) == 1
    assert handler.dropped == 0


def test_a_mail_deferred_for_ever_does_not_hold_up_the_others(make_handler, make_logger, monkeypatch):
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


def test_what_does_not_fit_is_counted_and_told_by_the_next_mail(make_handler, make_logger):
    """Room for three mails; the one under way is one of them. Equal errors need no room."""
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: "250 OK" if gate.wait(20) else "451").start()
    handler = make_handler(relay.mailhost, queue_size=3)
    logger = make_logger(handler)

    logger.error("first")
    wait_until(lambda: relay.tried)
    for letter in "abcdefgh":
        logger.error("error %s", letter)
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


def test_dropped_ones_are_told_again_when_the_mail_that_told_them_is_lost(make_handler, make_logger):
    answers = iter(["250 OK", "554 not this one"])
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: next(answers, "250 OK") if gate.wait(20) else "451").start()
    handler = make_handler(relay.mailhost, queue_size=2)
    logger = make_logger(handler)

    logger.error("first")
    wait_until(lambda: relay.tried)
    for letter in "abcde":
        logger.error("error %s", letter)
    gate.set()
    handler.flush(20)
    logger.error("last")
    handler.flush(20)
    relay.stop()

    assert [(mail.text, mail.dropped) for mail in relay.tried] == [("first\n", 0), ("error a\n", 4), ("last\n", 5)]


def test_memory_is_bounded_by_bytes_too(make_handler, make_logger):
    handler = make_handler(("127.0.0.1", closed_port()), queue_size=1000, queue_bytes=1_000_000)
    logger = make_logger(handler)

    for letter in itertools.islice(itertools.product("abcdefgh", repeat=3), 100):
        logger.error("error %s %s", letter, "x" * 100_000)

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


def test_nothing_is_raised_even_when_stderr_is_closed(sink, make_handler, make_logger, monkeypatch):
    with open(os.devnull, "w") as closed:  # noqa: PTH123 - a file to be closed
        pass
    monkeypatch.setattr("sys.stderr", closed)
    handler = make_handler(sink.mailhost)

    make_logger(handler).error("%d", "no number")

    assert handler.dropped == 1


def test_a_formatter_that_logs_errors_does_not_go_round_for_ever(sink, make_handler, make_logger):
    class Chatty(logging.Formatter):
        def format(self, record):
            logger.error("while formatting")
            return super().format(record)

    handler = make_handler(sink.mailhost)
    handler.setFormatter(Chatty())
    logger = make_logger(handler)

    logger.error("outer")
    handler.flush()

    assert [mail.text for mail in sink.mails] == ["outer\n"]
    assert handler.pending == 0
    assert sink.mails[0].dropped + handler.dropped == 1


def test_what_the_sending_thread_logs_does_not_go_round_for_ever(sink, make_handler, make_logger, monkeypatch):
    """As with an instrumented socket library that logs errors of its own on every mail."""

    def chatty(*arguments):
        logger.error("while sending")
        return message.compose(*arguments)

    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)
    monkeypatch.setattr(courier, "compose", chatty)

    logger.error("outer")
    handler.flush()

    assert [mail.text for mail in sink.mails] == ["outer\n"]
    assert handler.dropped == 1


def test_a_signal_handler_may_log_in_the_midst_of_logging(sink, make_handler, make_logger):
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
    told = sink.occurrences + sum(mail.dropped for mail in sink.mails) + handler.dropped

    assert told == 300 + next(fired)


def test_flush_waits_no_longer_than_it_is_told(make_handler, make_logger):
    with Unruly(hang) as relay:
        handler = make_handler(relay.mailhost, timeout=60)
        make_logger(handler).error("stuck")
        started = time.monotonic()

        handler.flush(0.1)

        assert 0.1 <= time.monotonic() - started < 20
        assert handler.pending == 1


def test_flush_is_for_what_was_logged_before(make_handler, make_logger):
    """It returns although others go on logging."""
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


def test_close_gives_up_in_time_and_says_what_is_lost(make_handler, make_logger, capsys):
    with Unruly(hang) as relay:
        handler = make_handler(relay.mailhost, timeout=60, exit_timeout=0.1)
        logger = make_logger(handler)
        for _ in range(3):
            logger.error("stuck")
        wait_until(lambda: relay.connections)

        handler.close()

        assert handler.pending == 0
        assert handler.dropped == 3
    assert "the last ones, which are dropped (3)\n" in capsys.readouterr().err


def test_flush_and_close_share_one_limit(make_handler, make_logger, monkeypatch):
    """As `logging.shutdown` calls them at the interpreter's exit."""
    handler = make_handler(("127.0.0.1", closed_port()), exit_timeout=0.5)
    make_logger(handler).error("nobody there")
    drain = handler._sender().drain
    limits = []

    def noting(limit):
        limits.append(limit)
        return drain(limit)

    monkeypatch.setattr(handler._sender(), "drain", noting)

    handler.flush()
    handler.close()

    assert limits[0] == 0.5
    assert limits[1] <= 0


def test_without_any_more_threads_flush_delivers_by_itself(sink, make_handler, make_logger, monkeypatch):
    """As in an interpreter that is about to end, which starts none."""
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


def test_each_trouble_is_told_once_until_all_is_well_again(make_handler, make_logger, capsys):
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
            "not possible at the moment, trying on (SMTPDataError: 451 a)",
            "a mail was refused and is dropped (SMTPDataError: 554 b)",
            "not possible at the moment, trying on (SMTPDataError: 451 a)",
        )
    ]
