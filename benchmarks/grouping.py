"""How fast mails are understood: parse + redact + fingerprint, on one core, from the bytes of a mail to its key.

    python benchmarks/grouping.py

Prints the median of the runs and, since a machine may be busy, the time of one mail as a multiple of a calibration: a
plain Python loop of a hundred thousand rounds, timed right before each run. Each run has mails of its own, so that
nothing is found remembered that a new mail would not find.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

from relay.grouping.fingerprint import fingerprint
from relay.model import Envelope, Kept, Record
from relay.parse.report import parse
from relay.redact import redact

RUNS = 7
MAILS = 400
FRAMES = 30
MEGABYTE = 1_000_000
HEAD = "From: server-error@example.com\nTo: you@example.com\nSubject: YourApplication Failed\n\n"
TRACE = "Traceback (most recent call last):\n"


def main() -> None:
    """Measure and print."""
    rng = random.Random(1)
    errors = itertools.count()
    show("distinct errors", lambda: record(mail(rng, next(errors))))
    show("repeats with other ids", lambda: record(mail(rng, 0)))
    show("50 errors in turn", lambda: record(mail(rng, next(errors) % 50)))
    print(f"\n1 MB of …, worst of {RUNS} runs for each")
    for name, text in hostile():
        content = [record(HEAD + text[:MEGABYTE])]
        worst = max(seconds(partial(understand, content)) for _ in range(RUNS))
        print(f"  {name:<24} {1_000 * worst:6.0f} ms")


def show(name: str, make: Callable[[], Record]) -> None:
    """The figures of one kind of mail."""
    rates, ratios = [], []
    understand([make() for _ in range(100)])
    for _ in range(RUNS):
        records = [make() for _ in range(MAILS)]
        loop = seconds(calibration)
        spent = seconds(partial(understand, records)) / MAILS
        rates.append(1 / spent)
        ratios.append(spent / loop)
    print(
        f"{name:<24} {statistics.median(rates):7,.0f} mails/s ({min(rates):,.0f} to {max(rates):,.0f}); "
        f"one mail is {statistics.median(ratios):.3f} of the calibration loop"
    )


def understand(records: Iterable[Record]) -> None:
    """What the worker does with each mail before it counts it."""
    for each in records:
        fingerprint(redact(parse(each, ())))


def seconds(work: Callable[[], object]) -> float:
    """Processor time, which other processes disturb less than the clock's."""
    start = time.process_time()
    work()
    return time.process_time() - start


def calibration() -> int:
    """A fixed amount of plain Python."""
    return sum(number * number for number in range(100_000))


def mail(rng: random.Random, error: int) -> str:
    """A mail in the documented format with a trace of 30 frames; those of one `error` differ in their data alone."""
    frames = "".join(
        f'  File "{path(error, frame)}", line {10 + frame}, in step_{error}_{frame}\n'
        f"    return self.handle(request, order=order, **options)\n"
        for frame in range(FRAMES)
    )
    return (
        f"{HEAD}\nMessage type:       ERROR\nLocation:           /srv/shop/current/shop/web.py:{rng.randrange(900)}\n"
        f"Module:             web\nFunction:           log_exception\n"
        f"Time:               2026-11-22 15:55:{rng.randrange(60):02},{rng.randrange(1000):03}\n\nMessage:\n\n"
        f"Exception on /orders/{rng.randrange(10**6)} [POST]\n{TRACE}{frames}"
        f"shop.errors.OutOfStock: order {rng.randrange(10**6)} of user {uuid.UUID(int=rng.getrandbits(128))}: "
        f"only {rng.randrange(99)} left of 'SKU-{rng.randrange(10**5)}'\n"
    )


def path(error: int, frame: int) -> str:
    """Two frames of the app, then one of a library."""
    if frame % 3:
        return f"/srv/shop/current/shop/part_{error}_{frame}.py"
    return f"/srv/shop/current/venv/lib/python3.11/site-packages/flask/part_{frame}.py"


def record(text: str) -> Record:
    """A mail as the spool holds it."""
    content = text.replace("\n", "\r\n").encode()
    envelope = Envelope(sender="server-error@example.com", recipients=(), peer="")
    return Record(
        position=0, end=0, received_at=datetime.now(UTC), envelope=envelope, kept=Kept.WHOLE, content=content,
        size=len(content),
    )  # fmt: skip


def hostile() -> Iterable[tuple[str, str]]:
    """Texts that are hard on one reader or another."""
    frame = '  File "/srv/a/b{}.py", line 1, in f\n'
    for text in (
        "a",
        " ",
        "1",
        "'",
        "[",
        "\n",
        "a.",
        "a:",
        "/a",
        "4111 ",
        "could not find ",
        "password=",
        "a@b.c ",
        "\n x",
    ):
        yield repr(text), text * (MEGABYTE // len(text))
    yield "frames", TRACE + "".join(frame.format(number) for number in range(25_000))
    yield "headings", TRACE * (MEGABYTE // len(TRACE))
    yield "indented headings", f"  {TRACE}" * (MEGABYTE // len(TRACE))
    yield "token: abc def", "token: abc def\n" * (MEGABYTE // 15)
    yield "Java's frames", "\tat a.b.C.d(E.java:1)\n" * (MEGABYTE // 23)
    yield "vendored paths", TRACE + f'  File "{"/vendor" * 55}", line 1\n' * (MEGABYTE // 400)
    yield "suggestions", f"{TRACE}{frame}NameError: x" + " (consider renaming x" * (MEGABYTE // 21)
    yield "JSON cut off", '{"message": "' + "x" * MEGABYTE


if __name__ == "__main__":
    main()
