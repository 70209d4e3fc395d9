"""How fast mails are understood: parse + redact + fingerprint, on one core, from the bytes of a mail to its key.

    python -m benchmarks.grouping

Prints the median of the runs and, since a machine may be busy, the time of one mail as a multiple of a calibration: a
plain Python loop of a hundred thousand rounds, timed right before each run. Each run has mails of its own, so that
nothing is found remembered that a new mail would not find.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

from benchmarks.harness.costs import calibration, seconds
from benchmarks.harness.mails import HEAD, TRACE, mail_with_trace
from relay.grouping.fingerprint import fingerprint
from relay.model import Envelope, Record, Retained
from relay.parse.report import parse
from relay.redact import redact

RUNS = 7
MAILS = 400
MEGABYTE = 1_000_000


def main() -> None:
    """Measure and print."""
    rng = random.Random(1)
    errors = itertools.count()
    show("distinct errors", lambda: record(mail_with_trace(rng, next(errors))))
    show("repeats with other ids", lambda: record(mail_with_trace(rng, 0)))
    show("50 errors in turn", lambda: record(mail_with_trace(rng, next(errors) % 50)))
    print(f"\n1 MB of …, worst of {RUNS} runs for each")
    texts = [(name, HEAD + text) for name, text in hostile()] + list(hostile_documents())
    for name, text in texts:
        content = [record(text[:MEGABYTE])]
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


def record(text: str) -> Record:
    """A mail as the spool holds it."""
    content = text.replace("\n", "\r\n").encode()
    envelope = Envelope(sender="server-error@example.com", recipients=(), peer="")
    return Record(
        position=0, end=0, received_at=datetime.now(UTC), envelope=envelope, retained=Retained.WHOLE, content=content,
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


def hostile_documents() -> Iterable[tuple[str, str]]:
    """Texts in no documented format, of lines that all differ: nothing that was read before helps."""
    for phrase in (
        "error: ",
        "build a failed ",
        "Level: ERROR Message: a ",
        "a.b(c.py:1) ",
        "2026-11-30 09:15:42 ERROR a ",
        "msg=a err=b ",
        "실패 失败 ",
        "a'",
    ):
        for width in (12, 70, 300, 3_000):
            body = (phrase * width)[:width]
            lines = (f"{'abc'[number % 3]}{number} {body}\n" for number in range(MEGABYTE // width))
            yield f"{phrase!r} x {width}", "From: a@example.com\nSubject: a\n\n" + "".join(lines)


if __name__ == "__main__":
    main()
