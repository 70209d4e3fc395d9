"""Pairs of errors that are one failure, and pairs that are similar but unrelated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from relay.model import Entry, Reason, Timeline
from tests.support.digests import NOW, entry, report

MINUTE = timedelta(minutes=1)
SITE = "/srv/shop/venv/lib/python3.11/site-packages"


def trace(*calls: str, raised: str, before: str = "") -> str:
    """A traceback through `file:function` calls, with the traceback `before` as its cause."""
    lines = ["Traceback (most recent call last):"]
    for call in calls:
        file, _, function = call.rpartition(":")
        path = f"/srv/shop/{file}" if file.startswith("shop/") else file.replace("@", f"{SITE}/")
        lines += [f'  File "{path}", line 42, in {function}', "    pass"]
    cause = f"{before}\n\nThe above exception was the direct cause of the following exception:\n\n" if before else ""
    return cause + "\n".join([*lines, raised])


FLASK = ("@flask/app.py:wsgi_app", "@flask/app.py:full_dispatch_request", "@flask/app.py:dispatch_request")
STOCK = "shop.stock.OutOfStock: only 4 left of 'SKU-17'"
CLOSED = "psycopg2.OperationalError: server closed the connection unexpectedly"
WRAPPED = "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) server closed the connection unexpectedly"
PSYCOPG = "@sqlalchemy/engine/default.py:do_execute"
TASK = ("@celery/app/trace.py:trace_task", "@celery/app/trace.py:__protected_call__")
RESULT = ("@celery/result.py:get", "@celery/result.py:maybe_throw", "@vine/promises.py:throw", "@vine/utils.py:reraise")
WORKER_TRACE = 'concurrent.futures.process._RemoteTraceback: \n"""\n{}\n"""'


def logged(number: int, occurrences: int = 50, *, sample: dict[str, Any] | None = None, **fields: Any) -> Entry:
    """An entry for one log statement; `sample` has fields of its report."""
    given: dict[str, Any] = {"location": "", "module": "", "function": "", "message": "it failed", "trace": ""}
    found = report(**given | (sample or {}))
    return entry(group_id=number, occurrences=occurrences, title=f"error {number}", sample=found, **fields)


def with_trace(text: str, **fields: Any) -> dict[str, Any]:
    return {"trace": text, **fields}


IN_STOCK = trace("shop/stock.py:take", "shop/stock.py:reserve", raised=STOCK)
IN_FLASK = trace(*FLASK, "shop/web.py:checkout", "shop/stock.py:take", "shop/stock.py:reserve", raised=STOCK)

ONE_FAILURE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "caught in the app, raised again, logged by the framework": (
        with_trace(IN_FLASK, logger="shop", message="Exception on /checkout [POST]"),
        with_trace(IN_STOCK, logger="shop.stock", message="cannot reserve"),
    ),
    "without logger names, as the standard handler mails it": (with_trace(IN_FLASK), with_trace(IN_STOCK)),
    "logged by a task and by its worker": (
        with_trace(trace(*TASK, "shop/tasks.py:charge", "shop/bank.py:pay", raised=STOCK), logger="celery.app.trace"),
        with_trace(trace("shop/bank.py:pay", raised=STOCK), logger="shop.bank"),
    ),
    "logged by a task that nobody awaited, and by asyncio": (
        with_trace(
            trace("shop/jobs.py:sync", "shop/bank.py:pay", raised=STOCK),
            logger="asyncio",
            message="Task exception was never retrieved",
        ),
        with_trace(trace("shop/bank.py:pay", raised=STOCK), logger="shop.bank"),
    ),
    "logged, then raised as another exception": (
        with_trace(
            trace(
                *FLASK,
                "shop/web.py:checkout",
                raised="shop.errors.Unavailable: no stock just now",
                before=trace("shop/stock.py:reserve", PSYCOPG, raised=CLOSED),
            )
        ),
        with_trace(trace("shop/stock.py:reserve", PSYCOPG, raised=CLOSED), logger="shop.stock"),
    ),
    "logged by the pool of SQLAlchemy and by the app": (
        with_trace(
            trace(
                *FLASK,
                "shop/web.py:checkout",
                "@sqlalchemy/engine/base.py:execute",
                PSYCOPG,
                raised=WRAPPED,
                before=trace("@sqlalchemy/engine/base.py:_execute_context", PSYCOPG, raised=CLOSED),
            ),
            logger="shop",
        ),
        with_trace(
            trace(
                "@sqlalchemy/pool/base.py:_finalize_fairy", "@sqlalchemy/engine/default.py:do_rollback", raised=CLOSED
            ),
            logger="sqlalchemy.pool.impl.QueuePool",
            message="Exception during reset or similar",
        ),
    ),
    "the same, without logger names: the location shows the library": (
        with_trace(trace(*FLASK, "shop/web.py:checkout", PSYCOPG, raised=CLOSED), location="/srv/shop/shop/web.py:7"),
        with_trace(
            trace("@sqlalchemy/engine/default.py:do_rollback", raised=CLOSED),
            location=f"{SITE}/sqlalchemy/pool/base.py:743",
        ),
    ),
    "logged by a worker and by the page that waited for its result": (
        with_trace(trace(*FLASK, "shop/web.py:checkout", *RESULT, raised=STOCK), logger="shop", host="web-1"),
        with_trace(trace(*TASK, "shop/tasks.py:charge", raised=STOCK), logger="celery.app.trace", host="worker-1"),
    ),
    "logged by a process of a pool and by the code that waited for it": (
        with_trace(
            trace(
                *FLASK,
                "shop/web.py:checkout",
                "/usr/lib/python3.11/concurrent/futures/_base.py:result",
                "/usr/lib/python3.11/concurrent/futures/_base.py:__get_result",
                raised=STOCK,
            )
        ),
        with_trace(trace("shop/tasks.py:charge", "shop/bank.py:pay", raised=STOCK), logger="shop.bank"),
    ),
    "without a trace, by a logger and its parent": (
        {"logger": "shop", "message": "Upstream 10.0.0.7 answered 503", "location": "/srv/shop/shop/web.py:3"},
        {
            "logger": "shop.client",
            "message": "Upstream 10.0.0.7 answered 503",
            "location": "/srv/shop/shop/client.py:9",
        },
    ),
    "a log line that quotes the exception": (
        with_trace(IN_FLASK),
        {
            "message": "cannot reserve: only 4 left of 'SKU-17'",
            "location": "/srv/shop/shop/stock.py:61",
            "function": "take",
        },
    ),
}


def unrelated(one: dict[str, Any], other: dict[str, Any]) -> tuple[Entry, Entry]:
    """Two entries that occurred together, with these samples."""
    return logged(1, sample=one), logged(2, sample=other)


def twins(**fields: Any) -> tuple[Entry, Entry]:
    """One failure in two places; `fields` change the second entry (`sample`: fields of its report)."""
    head, echo = ONE_FAILURE["caught in the app, raised again, logged by the framework"]
    sample = echo | fields.pop("sample", {})
    return logged(1, sample=head), replace(logged(2, sample=sample), **fields)


ONE = trace("shop/web.py:checkout", "shop/stock.py:reserve", raised=STOCK)
LOOK_ALIKES: dict[str, tuple[Entry, ...]] = {
    "one place reached from two callers": unrelated(
        with_trace(ONE), with_trace(trace("shop/web.py:cart", "shop/stock.py:reserve", raised=STOCK))
    ),
    "one kind of exception in two functions": unrelated(
        with_trace(trace("shop/a.py:f", raised="KeyError: 'sku'")),
        with_trace(trace("shop/b.py:g", raised="KeyError: 'sku'")),
    ),
    "one function, two messages": unrelated(
        with_trace(trace("shop/a.py:f", raised="ValueError: no such coupon")),
        with_trace(trace("shop/web.py:h", "shop/a.py:f", raised="ValueError: no such customer")),
    ),
    "one function, two types": unrelated(
        with_trace(trace("shop/a.py:f", raised="KeyError: 'sku'")),
        with_trace(trace("shop/web.py:h", "shop/a.py:f", raised="LookupError: 'sku'")),
    ),
    "another cause below the same exception": unrelated(
        with_trace(trace("shop/a.py:f", raised="Unavailable: no", before=trace("shop/b.py:g", raised=CLOSED))),
        with_trace(trace("shop/a.py:f", raised="Unavailable: no", before=trace("shop/b.py:g", raised=STOCK))),
    ),
    "one exception with a cause and one without": unrelated(
        with_trace(trace("shop/web.py:h", "shop/a.py:f", raised=STOCK, before=trace("shop/b.py:g", raised=CLOSED))),
        with_trace(trace("shop/a.py:f", raised=STOCK)),
    ),
    "the result of one task, and a similar exception of another": unrelated(
        with_trace(trace("shop/web.py:checkout", *RESULT, raised="KeyError: 'sku'")),
        with_trace(trace(*TASK, "shop/tasks.py:charge", raised="KeyError: 'title'"), logger="celery.app.trace"),
    ),
    "two pages that fail because of one database": unrelated(
        with_trace(trace("shop/web.py:checkout", PSYCOPG, raised=CLOSED)),
        with_trace(trace("shop/web.py:search", PSYCOPG, raised=CLOSED)),
    ),
    "one exception logged by two libraries": unrelated(
        with_trace(trace("@sqlalchemy/pool/base.py:reset", raised=CLOSED), logger="sqlalchemy.pool"),
        with_trace(trace("@celery/worker/loops.py:loop", raised=CLOSED), logger="celery.worker"),
    ),
    "an exception that a library logged and the app never raised": unrelated(
        with_trace(trace("@sqlalchemy/pool/base.py:reset", raised=CLOSED), logger="sqlalchemy.pool"),
        with_trace(ONE, logger="shop"),
    ),
    "a task, and a page that raised an equal exception by itself": unrelated(
        with_trace(trace(*TASK, "shop/tasks.py:charge", raised=STOCK), logger="celery.app.trace"), with_trace(IN_FLASK)
    ),
    "one text from two loggers of which neither is a parent": unrelated(
        {"logger": "shop.health", "message": "Upstream 10.0.0.7 answered 503"},
        {"logger": "shop.checkout", "message": "Upstream 10.0.0.7 answered 503"},
    ),
    "one text from loggers whose names begin with the same letters": unrelated(
        {"logger": "shop", "message": "Upstream 10.0.0.7 answered 503"},
        {"logger": "shopping", "message": "Upstream 10.0.0.7 answered 503"},
    ),
    "one text without logger names": unrelated(
        {"message": "timed out", "location": "/srv/shop/shop/a.py:1"},
        {"message": "timed out", "location": "/srv/shop/shop/b.py:1"},
    ),
    "two texts of one template, from a logger and its parent": unrelated(
        {"logger": "shop", "message": "Upstream 10.0.0.7 answered 503"},
        {"logger": "shop.client", "message": "Upstream 10.0.0.8 answered 503"},
    ),
    "a line that quotes the exception, logged by an unrelated function": unrelated(
        with_trace(IN_FLASK),
        {"message": "only 4 left of 'SKU-17'", "location": "/srv/shop/shop/report.py:61", "function": "weekly"},
    ),
    "another text, logged by a function that the exception passed through": unrelated(
        with_trace(IN_FLASK),
        {"message": "will try again", "location": "/srv/shop/shop/stock.py:61", "function": "take"},
    ),
    "a quotation that is too short": unrelated(
        with_trace(trace("shop/a.py:f", raised="OSError: no")),
        {"message": "there is no light", "location": "/srv/shop/shop/a.py:61", "function": "f"},
    ),
    "one error that a rule splits by host": unrelated(
        with_trace(ONE, host="web-1"), with_trace(ONE, host="web-2")
    ),
    "of two apps": twins(app="Another Failed"),
    "of two environments": (
        twins(sample={"environment": "staging"})[1],
        replace(twins()[0], sample=replace(twins()[0].sample, environment="production")),  # type: ignore[type-var]
    ),
    "one is new and the other is ongoing": twins(reason=Reason.ONGOING),
    "one began a minute before": twins(since=NOW - 5 * MINUTE),
    "one was last seen a minute earlier": twins(until=NOW - MINUTE),
    "with different counts": twins(occurrences=40, mails=40),
    "with the same counts at other times": twins(timeline=Timeline(since=NOW - 4 * MINUTE, step=MINUTE, counts=(50,))),
    "with timelines of different steps": twins(
        timeline=Timeline(since=NOW - 4 * MINUTE, step=2 * MINUTE, counts=(50,))
    ),
    "without a sample": (twins()[0], replace(twins()[1], sample=None)),
}  # fmt: skip
