"""Mail the failures of Celery tasks: `mail_task_failures` connects a handler with Celery's signals.

    mail_task_failures(ErrorMailHandler("127.0.0.1:2525", "server-error@example.com", ADMINS, "Shop Failed"))

Celery sends no error mails since version 4.0. Each failed task becomes one record at level ERROR of the logger
`celery.task`. It is located at the task's function, and its request shows the task's name and id, never its arguments.
A lost worker process and an exceeded hard time limit count too: the main process logs them. A retry, an exception that
the task lists in `throws`, `Ignore` and `Reject` are no failures.

Guarantee: a task's outcome does not depend on the handler. Records of a worker process are delivered before it ends.
"""

import contextlib
import inspect
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from celery import Task, signals
from celery.exceptions import Ignore, Reject, TimeLimitExceeded

from app_client.formatting.request import RequestFacts, add_facts

LOGGER = "celery.task"


def mail_task_failures(handler: logging.Handler) -> Callable[[], None]:
    """Pass every failure of a task to `handler`, in all kinds of workers; returns a function that ends this.

    Call it once, in the module that creates the Celery app: its workers import this module. `handler` may be any
    handler; its level and its filters apply.
    """
    time_limits = _TimeLimits()

    def failed(sender: Task, task_id: str, exception: BaseException, traceback: object = None, **_: Any) -> None:
        if isinstance(exception, (Ignore, Reject, *(sender.throws or ()))):
            return
        if isinstance(exception, TimeLimitExceeded) and time_limits.is_repeat(task_id, traceback):
            return
        record = _record(sender, exception, traceback)
        add_facts(record, RequestFacts(method="TASK", url=str(sender.name), request_id=str(task_id or "")))
        if record.levelno >= handler.level:
            handler.handle(record)

    def process_ends(**_: Any) -> None:
        handler.flush()  # a process of the prefork pool ends without the interpreter's exit hooks

    signals.task_failure.connect(failed, weak=False)
    signals.worker_process_shutdown.connect(process_ends, weak=False)

    def disconnect() -> None:
        signals.task_failure.disconnect(failed)
        signals.worker_process_shutdown.disconnect(process_ends)

    return disconnect


class _TimeLimits:
    """Recognises the second signal for one exceeded hard time limit.

    The main process of Celery 5.7 sends one signal when it ends the process, with a traceback, and one when it stores
    the result, with the traceback as text. Other releases send only one of them.
    """

    def __init__(self) -> None:
        self._reported: deque[tuple[str, bool]] = deque(maxlen=100)

    def is_repeat(self, task_id: str, trace: object) -> bool:
        has_trace = isinstance(trace, TracebackType)
        if (task_id, not has_trace) in self._reported:
            self._reported.remove((task_id, not has_trace))
            return True
        self._reported.append((task_id, has_trace))
        return False


def _record(task: Task, exception: BaseException, trace: object) -> logging.LogRecord:
    path, line, function = _location(task)
    # A failure that another process reports has its traceback as text only.
    trace = trace if isinstance(trace, TracebackType) else exception.__traceback__
    exc_info = (type(exception), exception, trace)
    return logging.LogRecord(LOGGER, logging.ERROR, path, line, "Task %s failed", (str(task.name),), exc_info, function)


def _location(task: Task) -> tuple[str, int, str]:
    """Return file, line and name of the task's function; its name alone if it has no Python code."""
    with contextlib.suppress(Exception):
        code = inspect.unwrap(task.run).__code__
        return code.co_filename, code.co_firstlineno, code.co_name
    return "", 0, str(task.name)
