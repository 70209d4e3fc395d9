"""The log: every process writes every line in one format."""

import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime

import pytest
import structlog

from relay.errors import ConfigError
from relay.service import event_logs, logs

FORGED = "no cart\n2026-03-03T14:02:07Z [critical] worker: all is well\x1b[2J"


EVENTS = "relay.service.worker"
"""The logger of structlog's events here: the module that logs them, as in the relay."""


@pytest.fixture
def log(monkeypatch, capsys):
    """Reads standard error; what `configure` changes in this process is undone."""
    root, relay = logging.getLogger(), logging.getLogger("relay")
    handlers, levels = root.handlers[:], (root.level, relay.level)
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    yield lambda: capsys.readouterr().err
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    relay.setLevel(levels[1])
    structlog.reset_defaults()


def objects(log):
    return [json.loads(line) for line in log().splitlines()]


def utc(text):
    return datetime.fromisoformat(text).tzinfo == UTC


def raised(error):
    """The error with a traceback."""
    try:
        raise error
    except type(error):
        return error


def test_events_of_the_relay_and_of_its_libraries_are_json_of_one_shape(log):
    event_logs.configure("worker", "json", "info")

    structlog.get_logger(EVENTS).warning("mail parked", position=17, at=datetime(2026, 3, 3, tzinfo=UTC))
    logging.getLogger("relay.receive.server").error("cannot publish: %s", "no space")
    logging.getLogger("waitress").warning("Task queue depth is %d", 3)

    ours, plain, library = objects(log)
    assert (ours["event"], ours["position"], ours["at"]) == ("mail parked", 17, "2026-03-03 00:00:00+00:00")
    assert (plain["event"], plain["level"]) == ("cannot publish: no space", "error")
    assert (library["event"], library["logger"]) == ("Task queue depth is 3", "waitress")
    assert {line["role"] for line in (ours, plain, library)} == {"worker"}
    for line in (ours, plain, library):
        assert utc(line["timestamp"])


def test_warnings_of_python_are_json(log):
    logs.configure("receiver", "json", "info")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert [(line["level"], line["logger"]) for line in objects(log)] == [("warning", "py.warnings")]


def test_uncaught_exceptions_of_process_thread_and_finalizer_are_json(log):
    logs.configure("receiver", "json", "info")

    class Finalized:
        def __del__(self):
            raise OSError("in a finalizer")

    def fails():
        raise ValueError("in a thread")

    error = raised(KeyError("in the process"))
    sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    Finalized()

    texts = [line["exception"] for line in objects(log)]
    assert ["KeyError: 'in the process'" in texts[0], "ValueError: in a thread" in texts[1]] == [True, True]
    assert "OSError: in a finalizer" in texts[2]


@pytest.mark.parametrize("style", ["text", "json"])
def test_text_from_outside_cannot_begin_a_line(log, style):
    event_logs.configure("worker", style, "info")

    structlog.get_logger(EVENTS).warning("mail parked", reason=FORGED)
    logging.getLogger("relay.receive").warning("bad name %s", FORGED)

    written = log()
    assert len(written.splitlines()) == 2
    assert "\x1b" not in written


def test_text_names_time_level_role_event_values_and_traceback(log):
    event_logs.configure("worker", "text", "info")

    error = raised(ValueError("no cart"))
    structlog.get_logger(EVENTS).error("rendering failed", digest="d 1", mails=3, exc_info=error)

    first, *trace = log().splitlines()
    assert first.split(" ", 1)[1] == "[error]    worker: rendering failed  digest='d 1' mails=3"
    assert utc(first.split()[0])
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ValueError: no cart")


def test_level_holds_for_the_relay_and_can_change_while_it_runs(log):
    events = structlog.get_logger(EVENTS)
    event_logs.configure("worker", "json", "warning")
    events.info("one")
    logging.getLogger("relay.spool").info("two")
    logging.getLogger("sqlalchemy").info("three")
    assert log() == ""

    event_logs.configure("worker", "json", "debug")
    events.info("four")
    logging.getLogger("relay.spool").debug("five")
    logging.getLogger("sqlalchemy").info("six")

    assert [line["event"] for line in objects(log)] == ["four", "five"]


def test_error_that_keeps_the_process_from_running_is_logged_with_every_problem(log):
    logs.configure("supervisor", "json", "info")

    with pytest.raises(SystemExit) as ended:
        logs.exit_after(ConfigError(("admins is empty", "[http] listen: no port")))

    assert ended.value.code == 2
    assert [line["event"] for line in objects(log)] == ["admins is empty", "[http] listen: no port"]
