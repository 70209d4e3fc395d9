"""Handlers on several loggers at once: each record once, undone without a trace, and no loops."""

import logging
import logging.handlers
import pickle
import sys
import types

import pytest

import relay.receive
import relay.spool.segments
from app_client import ErrorMailHandler, attach


class Kept(logging.handlers.BufferingHandler):
    """Keeps the messages of all that reaches it."""

    def __init__(self) -> None:
        super().__init__(10**6)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.buffer]


@pytest.fixture
def loggers(make_logger):
    """A parent, its child and grandchild, and a stranger."""
    parent = make_logger()
    return [parent, parent.getChild("pool"), parent.getChild("pool.queue"), make_logger()]


@pytest.fixture(autouse=True)
def no_handler_stays(loggers):
    yield
    for logger in loggers:
        assert not [handler for handler in logger.handlers if isinstance(handler, Kept | logging.handlers.SMTPHandler)]


def test_a_record_comes_once_however_loggers_propagate(loggers):
    """With handlers of any class, the stock one included; a mail is mailed once."""
    kept = Kept()
    with attach([kept], loggers):
        for logger in loggers:
            logger.error("once")
            logger.error("again")

    assert kept.messages == ["once", "again"] * 4


def test_a_record_is_mailed_once(loggers, sink, make_handler):
    stock = logging.handlers.SMTPHandler(sink.mailhost, "a@example.com", "b@example.com", "Failed")
    ours = make_handler(sink.mailhost)
    with attach([stock, ours], loggers):
        loggers[2].error("once")
        ours.flush()

    assert sorted(mail.message["X-Error-Mail-Client"] or "stock" for mail in sink.mails) == ["1", "stock"]


def test_each_handler_gets_the_record(loggers):
    handlers = [Kept(), Kept()]
    with attach(handlers, loggers):
        loggers[2].error("once each")

    assert [kept.messages for kept in handlers] == [["once each"]] * 2


def test_one_handler_and_one_logger_will_do(loggers):
    kept = Kept()
    with attach(kept, loggers[0]):
        loggers[0].error("once")

    assert kept.messages == ["once"]


def test_a_later_change_of_propagation_doubles_nothing(loggers):
    kept = Kept()
    loggers[1].propagate = False
    with attach([kept], loggers):
        loggers[1].propagate = True
        loggers[1].error("once")

    assert kept.messages == ["once"]


def test_it_can_be_undone(loggers):
    kept = Kept()
    attachment = attach([kept], loggers)

    attachment.detach()
    attachment.detach()
    loggers[0].error("unheard")

    assert kept.messages == []
    assert kept.filters == []


def test_what_was_there_before_stays(loggers):
    kept = Kept()
    loggers[0].addHandler(kept)

    attach([kept], loggers).detach()
    loggers[1].error("heard by the parent's handler")
    loggers[0].removeHandler(kept)

    assert kept.messages == ["heard by the parent's handler"]


def test_two_attachments_of_one_handler_end_apart(loggers):
    kept = Kept()
    first = attach([kept], loggers[:2])
    second = attach([kept], loggers[1:])

    loggers[1].error("once")
    first.detach()
    loggers[1].error("unheard: the first had put it there")
    loggers[2].error("twice attached before, once now")
    second.detach()

    assert kept.messages == ["once", "twice attached before, once now"]


def test_a_level_below_is_left_to_the_loggers_and_handlers(loggers):
    kept = Kept()
    kept.setLevel(logging.ERROR)
    with attach([kept], loggers):
        loggers[0].warning("too small")
        loggers[0].error("an error")

    assert kept.messages == ["an error"]


def test_a_record_from_another_process_is_no_repetition(loggers, monkeypatch):
    """It brings the marks of filters there, which are numbered as ours are."""
    kept = Kept()
    with attach([kept], loggers), monkeypatch.context() as elsewhere:
        elsewhere.setattr("os.getpid", lambda: -1)
        loggers[0].error("from a child")
        [record] = kept.buffer
        elsewhere.undo()
        loggers[0].handle(logging.makeLogRecord(pickle.loads(pickle.dumps(record.__dict__))))

    assert kept.messages == ["from a child"] * 2


def test_what_the_relay_and_the_client_log_goes_nowhere(make_logger, caplog):
    """A relay whose handler mails to itself would never come to rest."""
    kept = Kept()
    root = logging.getLogger()
    with attach([kept], [root]):
        relay.spool.segments._log.error("the disk is full")
        logging.getLogger("relay.web").error("the dashboard failed")
        logging.getLogger("app_client.anything").error("the client failed")
        logging.getLogger("relayed").error("no name of ours")

    assert kept.messages == ["no name of ours"]


def test_an_app_may_have_a_package_named_relay(make_logger, monkeypatch):
    theirs = types.ModuleType("relay")
    theirs.__file__ = "/app/relay/__init__.py"
    monkeypatch.setitem(sys.modules, "relay", theirs)
    kept = Kept()
    with attach([kept], [make_logger(name="relay.graphql")]):
        logging.getLogger("relay.graphql").error("their own")

    assert kept.messages == ["their own"]


def test_a_process_that_takes_mails_and_sends_them_does_not_loop(sink, make_handler, caplog):
    """As the relay would, at DEBUG on the root logger: each mail it takes makes records in its library."""
    assert "relay.receive" in sys.modules
    handler: ErrorMailHandler = make_handler(sink.mailhost)
    root = logging.getLogger()
    with attach([handler], [root]), caplog.at_level(logging.DEBUG):
        logging.getLogger("otherlibrary").error("once")
        handler.flush()
        handler.close()

    assert [mail.text for mail in sink.mails if "once" in mail.text] == ["once\n"]
    assert "mail.log" not in {mail.message["X-Error-Mail-Logger"] for mail in sink.mails}
