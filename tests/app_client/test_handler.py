"""`ErrorMailHandler` from the view of an app, with working SMTP servers."""

import inspect
import logging
import logging.config
import logging.handlers
import re
import ssl
import threading

import pytest

from app_client import ErrorMailHandler, mail_formatter
from tests.support.smtp_sinks import Sink, wait_until


def test_constructor_starts_with_the_arguments_of_the_standard_handler():
    stock = list(inspect.signature(logging.handlers.SMTPHandler).parameters.values())
    ours = list(inspect.signature(ErrorMailHandler).parameters.values())

    assert [(each.name, each.default) for each in stock] == [(each.name, each.default) for each in ours[: len(stock)]]
    assert {each.kind for each in ours[len(stock) :]} == {inspect.Parameter.KEYWORD_ONLY}


def test_attributes_are_those_of_the_standard_handler():
    arguments = (("127.0.0.1", 2525), "a@example.com", "b@example.com", "Failed", ("user", "secret"), (), 3.0)
    names = ["mailhost", "mailport", "username", "password", "fromaddr", "toaddrs", "subject", "secure", "timeout"]
    stock, ours = logging.handlers.SMTPHandler(*arguments), ErrorMailHandler(*arguments)

    assert [getattr(stock, name) for name in names] == [getattr(ours, name) for name in names]


def test_replacing_the_standard_handler_gives_the_same_mail(sink, make_logger):
    """Text, headers and envelope are the same for both handlers."""
    arguments = (sink.mailhost, "server-error@example.com", ["yourname@example.com"], "YourApplication Failed")
    handlers = [logging.handlers.SMTPHandler(*arguments), ErrorMailHandler(*arguments)]
    for handler in handlers:
        handler.setFormatter(mail_formatter())

    make_logger(*handlers).error("größer als %d", 3)
    handlers[1].close()
    stock, ours = sink.mails

    assert "größer als 3" in ours.text
    assert stock.text == ours.text
    for header in ("From", "To", "Subject"):
        assert stock.message[header] == ours.message[header]
    assert stock.envelope.mail_from == ours.envelope.mail_from == "server-error@example.com"
    assert stock.envelope.rcpt_tos == ours.envelope.rcpt_tos == ["yourname@example.com"]


def test_mail_carries_the_documented_headers(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost, app="shop", environment="production", release="2024-05")
    logger = make_logger(handler, name="yourapplication.headers")

    logger.error("no stock")
    [mail] = sink.wait_for(1)
    headers = {name: str(value) for name, value in mail.message.items() if name.startswith("X-Error-Mail-")}

    assert re.fullmatch("[0-9a-f]{32}", headers.pop("X-Error-Mail-Record"))
    assert headers.pop("X-Error-Mail-Host")
    assert headers == {
        "X-Error-Mail-Client": "1",
        "X-Error-Mail-Count": "1",
        "X-Error-Mail-App": "shop",
        "X-Error-Mail-Environment": "production",
        "X-Error-Mail-Release": "2024-05",
        "X-Error-Mail-Logger": "yourapplication.headers",
        "X-Error-Mail-Level": "ERROR",
    }


def test_subject_may_depend_on_the_record(sink, make_handler, make_logger):
    class BySeverity(ErrorMailHandler):
        def getSubject(self, record):  # noqa: N802 - the stock handler's name
            return f"{self.subject}: {record.levelname}"

    logger = make_logger(make_handler(sink.mailhost, handler_class=BySeverity))

    logger.critical("on fire")

    assert sink.wait_for(1)[0].message["Subject"] == "YourApplication Failed: CRITICAL"


def test_record_is_formatted_in_the_thread_that_logs(sink, make_handler, make_logger):
    formatted_in = []

    class Recording(logging.Formatter):
        def format(self, record):
            formatted_in.append(threading.current_thread())
            return super().format(record)

    handler = make_handler(sink.mailhost)
    handler.setFormatter(Recording())

    make_logger(handler).error("here")
    sink.wait_for(1)

    assert formatted_in == [threading.current_thread()]


def test_mails_share_one_connection(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    for word in ("one", "two", "three"):
        logger.error(word)
        handler.flush()

    assert [mail.text for mail in sink.mails] == ["one\n", "two\n", "three\n"]
    assert len({mail.connection for mail in sink.mails}) == 1


def test_idle_connection_and_thread_end_and_restart(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost, idle_timeout=0.01)
    logger = make_logger(handler)

    logger.error("before")
    sink.wait_for(1)
    wait_until(lambda: not sink.connections and handler._sender()._thread is None)
    logger.error("after")
    sink.wait_for(2)

    assert len({mail.connection for mail in sink.mails}) == 2


def test_nothing_starts_before_the_first_record(sink, make_handler):
    threads = threading.active_count()

    handler = make_handler(sink.mailhost)
    handler.flush()
    handler.close()

    assert threading.active_count() == threads
    assert not sink.connections


def test_equal_errors_of_a_storm_share_a_mail_and_are_all_counted(make_handler, make_logger):
    """While the first mail is in flight, equal errors share an entry; different errors do not."""
    gate = threading.Event()
    sink = Sink(answer=lambda _mail: "250 OK" if gate.wait(20) else "451").start()
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    def fail(order):
        orders: dict[str, int] = {}
        try:
            orders[f"order {order}"]
        except KeyError:
            logger.exception("cannot ship order %d", order)

    for order in range(500):
        fail(order)
        logger.error("stock of %s is wrong", "apples")
    wait_until(lambda: sink.attempted)
    gate.set()
    handler.flush(20)
    sink.stop()

    assert sum(mail.count for mail in sink.mails if "cannot ship order" in mail.text) == 500
    assert sum(mail.count for mail in sink.mails if "apples" in mail.text) == 500
    assert len(sink.mails) <= 4
    assert "order 0" in sink.mails[0].text
    assert sum(mail.dropped for mail in sink.mails) == 0


def test_a_counted_repeat_is_not_formatted(make_handler, make_logger):
    """In a storm, formatting tracebacks is the largest cost for requests."""
    gate = threading.Event()
    sink = Sink(answer=lambda _mail: "250 OK" if gate.wait(20) else "451").start()
    formatted = []

    class Recording(logging.Formatter):
        def format(self, record):
            formatted.append(record)
            return super().format(record)

    handler = make_handler(sink.mailhost)
    handler.setFormatter(Recording())
    logger = make_logger(handler)

    logger.error("the first")
    wait_until(lambda: sink.attempted)
    for _ in range(100):
        logger.error("the storm")
    gate.set()
    handler.flush(20)
    sink.stop()

    assert [mail.count for mail in sink.mails] == [1, 100]
    assert len(formatted) == 2


def test_errors_of_concurrent_threads_are_all_delivered(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    def work(name):
        for number in range(50):
            logger.error("%s failed %s", name, "x" * number)

    threads = [threading.Thread(target=work, args=(f"worker-{character}",)) for character in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.flush(20)

    assert sink.occurrences == 400
    assert len({mail.record_id for mail in sink.mails}) == len(sink.mails)


def test_record_that_propagates_is_mailed_once(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    parent = make_logger(handler)
    child = parent.getChild("orders")
    child.addHandler(handler)

    child.error("once")
    handler.flush()
    child.error("twice as a record of its own")
    handler.flush()
    child.removeHandler(handler)

    assert [mail.text for mail in sink.mails] == ["once\n", "twice as a record of its own\n"]
    assert sink.occurrences == 2


def test_works_from_dict_config(sink):
    name = "yourapplication.dictconfig"
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"mail": {"()": "app_client.mail_formatter"}},
        "handlers": {
            "mail": {
                "class": "app_client.ErrorMailHandler",
                "level": "ERROR",
                "formatter": "mail",
                "mailhost": f"127.0.0.1:{sink.port}",
                "fromaddr": "server-error@example.com",
                "toaddrs": ["yourname@example.com"],
                "subject": "YourApplication Failed",
            }
        },
        "loggers": {name: {"handlers": ["mail"], "propagate": False}},
    }
    logging.config.dictConfig(config)
    logger = logging.getLogger(name)

    logger.warning("not an error")
    logger.error("an error")
    [handler] = logger.handlers
    handler.close()
    logger.removeHandler(handler)

    [mail] = sink.mails
    assert "Message type:       ERROR\n" in mail.text


def test_records_after_close_are_still_sent(sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    logger.error("before")
    handler.close()
    assert len(sink.mails) == 1
    wait_until(lambda: not sink.connections)
    logger.error("after")

    assert sink.wait_for(2)[1].text == "after\n"


def test_logs_in_over_starttls_like_the_standard_handler(login_sink, make_handler, make_logger):
    handler = make_handler(login_sink.mailhost, credentials=("app", "the-password"), secure=())
    make_logger(handler).error("hush")

    assert login_sink.wait_for(1)[0].user == b"app"


@pytest.mark.parametrize(
    "wrap", [lambda context: context, lambda context: (None, None, context)], ids=["bare", "in a tuple"]
)
def test_secure_accepts_a_context(login_sink, authority, make_handler, make_logger, wrap):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    handler = make_handler(login_sink.mailhost, credentials=("app", "the-password"), secure=wrap(context))
    make_logger(handler).error("hush")

    assert login_sink.wait_for(1)[0].user == b"app"


def test_an_untrusted_certificate_gets_no_password(login_sink, make_handler, make_logger, capsys):
    """The default context does not trust the certificate authority of the test."""
    context = ssl.create_default_context()
    handler = make_handler(login_sink.mailhost, credentials=("app", "the-password"), secure=context)
    make_logger(handler).error("hush")

    wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err)

    assert handler.pending == 1
    assert not login_sink.attempted


def test_a_refused_login_is_reported_without_the_password_and_retried(login_sink, make_handler, make_logger, capsys):
    handler = make_handler(login_sink.mailhost, credentials=("app", "a-wrong-password"), secure=())
    make_logger(handler).error("hush")
    reported = ""

    def is_reported():
        nonlocal reported
        reported += capsys.readouterr().err
        return "535" in reported

    wait_until(is_reported)

    assert "a-wrong-password" not in reported
    assert handler.pending == 1
    assert handler.dropped == 0
