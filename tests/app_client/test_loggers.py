"""`attach`: handlers on several loggers get each record once, can be detached, and cause no loops."""

import logging
import logging.handlers
import pickle
import sys
import types

import pytest

import relay.receive
import relay.spool.segments
from app_client import ErrorMailHandler, attach


class CollectingHandler(logging.handlers.BufferingHandler):
    """Collects the messages of all records that it gets."""

    def __init__(self) -> None:
        super().__init__(10**6)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.buffer]


@pytest.fixture
def loggers(make_logger):
    """A logger, its child and grandchild, and an unrelated logger."""
    parent = make_logger()
    return [parent, parent.getChild("pool"), parent.getChild("pool.queue"), make_logger()]


@pytest.fixture(autouse=True)
def no_handler_stays(loggers):
    yield
    for logger in loggers:
        assert not [
            handler
            for handler in logger.handlers
            if isinstance(handler, CollectingHandler | logging.handlers.SMTPHandler)
        ]


def test_a_handler_gets_a_record_once_however_loggers_propagate(loggers):
    """Also with a handler of another class."""
    collector = CollectingHandler()
    with attach([collector], loggers):
        for logger in loggers:
            logger.error("once")
            logger.error("again")

    assert collector.messages == ["once", "again"] * 4


def test_a_record_is_mailed_once(loggers, sink, make_handler):
    stock = logging.handlers.SMTPHandler(sink.mailhost, "a@example.com", "b@example.com", "Failed")
    ours = make_handler(sink.mailhost)
    with attach([stock, ours], loggers):
        loggers[2].error("once")
        ours.flush()

    assert sorted(mail.message["X-Error-Mail-Client"] or "stock" for mail in sink.mails) == ["1", "stock"]


def test_each_handler_gets_the_record(loggers):
    handlers = [CollectingHandler(), CollectingHandler()]
    with attach(handlers, loggers):
        loggers[2].error("once each")

    assert [collector.messages for collector in handlers] == [["once each"]] * 2


def test_a_single_handler_and_logger_are_accepted(loggers):
    collector = CollectingHandler()
    with attach(collector, loggers[0]):
        loggers[0].error("once")

    assert collector.messages == ["once"]


def test_a_later_change_of_propagation_causes_no_duplicate(loggers):
    collector = CollectingHandler()
    loggers[1].propagate = False
    with attach([collector], loggers):
        loggers[1].propagate = True
        loggers[1].error("once")

    assert collector.messages == ["once"]


def test_handlers_can_be_detached(loggers):
    collector = CollectingHandler()
    attachment = attach([collector], loggers)

    attachment.detach()
    attachment.detach()
    loggers[0].error("unheard")

    assert collector.messages == []
    assert collector.filters == []


def test_a_handler_that_was_there_before_stays(loggers):
    collector = CollectingHandler()
    loggers[0].addHandler(collector)

    attach([collector], loggers).detach()
    loggers[1].error("heard by the parent's handler")
    loggers[0].removeHandler(collector)

    assert collector.messages == ["heard by the parent's handler"]


def test_two_attachments_of_one_handler_end_separately(loggers):
    collector = CollectingHandler()
    first = attach([collector], loggers[:2])
    second = attach([collector], loggers[1:])

    loggers[1].error("once")
    first.detach()
    loggers[1].error("unheard: the first had put it there")
    loggers[2].error("twice attached before, once now")
    second.detach()

    assert collector.messages == ["once", "twice attached before, once now"]


def test_levels_of_handlers_apply(loggers):
    collector = CollectingHandler()
    collector.setLevel(logging.ERROR)
    with attach([collector], loggers):
        loggers[0].warning("too small")
        loggers[0].error("an error")

    assert collector.messages == ["an error"]


def test_a_record_from_another_process_is_not_a_repeat(loggers, monkeypatch):
    """The record contains keys of the filters in that process, which have the same numbers."""
    collector = CollectingHandler()
    with attach([collector], loggers), monkeypatch.context() as elsewhere:
        elsewhere.setattr("os.getpid", lambda: -1)
        loggers[0].error("from a child")
        [record] = collector.buffer
        elsewhere.undo()
        loggers[0].handle(logging.makeLogRecord(pickle.loads(pickle.dumps(record.__dict__))))

    assert collector.messages == ["from a child"] * 2


def test_records_of_relay_and_client_are_ignored(make_logger, caplog):
    """Otherwise a relay that mails its own errors to itself would never stop."""
    collector = CollectingHandler()
    root = logging.getLogger()
    with attach([collector], [root]):
        relay.spool.segments._log.error("the disk is full")
        logging.getLogger("relay.web").error("the dashboard failed")
        logging.getLogger("app_client.anything").error("the client failed")
        logging.getLogger("relayed").error("no name of ours")

    assert collector.messages == ["no name of ours"]


def test_an_app_may_have_a_package_named_relay(make_logger, monkeypatch):
    theirs = types.ModuleType("relay")
    theirs.__file__ = "/app/relay/__init__.py"
    monkeypatch.setitem(sys.modules, "relay", theirs)
    collector = CollectingHandler()
    with attach([collector], [make_logger(name="relay.graphql")]):
        logging.getLogger("relay.graphql").error("their own")

    assert collector.messages == ["their own"]


def test_a_process_that_receives_and_sends_mails_does_not_loop(sink, make_handler, caplog):
    """As in the relay with DEBUG on the root logger: its SMTP library logs records for each mail."""
    assert "relay.receive" in sys.modules
    handler: ErrorMailHandler = make_handler(sink.mailhost)
    root = logging.getLogger()
    with attach([handler], [root]), caplog.at_level(logging.DEBUG):
        logging.getLogger("otherlibrary").error("once")
        handler.flush()
        handler.close()

    assert [mail.text for mail in sink.mails if "once" in mail.text] == ["once\n"]
    assert "mail.log" not in {mail.message["X-Error-Mail-Logger"] for mail in sink.mails}
