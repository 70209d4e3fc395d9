"""What a logged error costs the thread that logs it: the stock handler and ours, side by side, against one real relay.

    python -m benchmarks.emit            all of it, about three minutes
    python -m benchmarks.emit --quick    about a tenth of it

Three tables: the cost of `emit` with the relay at work, ours while the relay hangs (a socket that accepts and never
answers), and a storm of 10,000 errors a second, with the growth of memory and the counts. Ends with 1 where a promise
is not kept: a median of at most 1/100 of the stock one's, 1 ms at the 99.9th percentile while the relay hangs, both
where each 50th error is a new one. The last row of the second table is what any handler pays that makes the text of
each error at once. While the relay hangs, an `emit` in which the kernel gave the CPU to another program counts with
the CPU time that it took: on a busy machine the percentile would else be the machine's.
"""

import argparse
import contextlib
import gc
import logging
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from logging.handlers import SMTPHandler
from pathlib import Path
from statistics import quantiles

from app_client import ErrorMailHandler, mail_formatter
from benchmarks.harness.relays import MeasuredRelay

ADDRESSES = ("server-error@example.com", ["yourname@example.com"], "YourApplication Failed")
RATE = 10_000  # errors a second in the storm
PACE = 0.001  # seconds from one measured error to the next: a thread that serves requests does other things, too
Mailhost = tuple[str, int]
Samples = list[float]
Clock = Callable[[Callable[[], object]], float]


@contextlib.contextmanager
def relay() -> Iterator[Mailhost]:
    """A relay at work, with its state in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, MeasuredRelay(Path(folder)) as running:
        running.greeted()
        yield "127.0.0.1", running.smtp


@contextlib.contextmanager
def hanging() -> Iterator[Mailhost]:
    """The address of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept())

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def ours(mailhost: Mailhost, **options: float) -> ErrorMailHandler:
    """Our handler with the recipe's arguments."""
    return ErrorMailHandler(mailhost, *ADDRESSES, **options)  # type: ignore[arg-type]


def fail(depth: int, order: str) -> None:
    """An error some calls deep, as in an app."""
    if depth:
        fail(depth - 1, order)
    raise LookupError(f"no such order: {order}")


def elapsed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def undisturbed(work: Callable[[], object]) -> float:
    """Seconds that it takes, waiting for locks and other threads included; of CPU time if the kernel interrupted it."""
    interrupted, ran = _interruptions(), time.thread_time()
    seconds = elapsed(work)
    ran = time.thread_time() - ran
    return seconds if _interruptions() == interrupted else min(seconds, ran)


def _interruptions() -> int:
    """How often this thread had to leave the CPU while it could have gone on."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def measure(handler: logging.Handler, number: int, new: int, clock: Clock = elapsed) -> Samples:
    """Seconds in the handler for each of so many records with a traceback; each `new`-th is of a new error."""
    handler.setFormatter(mail_formatter())
    samples = []
    for count in range(number):
        try:
            fail(8, _alphabetic_word(count // new))
        except LookupError:
            what = ("yourapplication", logging.ERROR, __file__, 1, "order failed", (), sys.exc_info())
            record = logging.LogRecord(*what)
            samples.append(clock(lambda: handler.handle(record)))  # noqa: B023 - called here and now
        time.sleep(PACE)
    return samples


def _alphabetic_word(number: int) -> str:
    """Return a number as a word of A to Z, because errors that differ in numbers alone are equal to our handler."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def milliseconds(samples: Samples) -> tuple[float, float, float]:
    """Median, 99th and 99.9th percentile."""
    cuts = quantiles(samples, n=1000, method="inclusive")
    return cuts[499] * 1e3, cuts[989] * 1e3, cuts[998] * 1e3


def show(name: str, figures: tuple[float, ...], unit: str = "ms") -> None:
    """A row of the table."""
    print(f"{name:<44}" + "".join(f"{figure:>12.4f}" for figure in figures) + f"  {unit}")


def compare(number: int) -> float:
    """Both handlers with the relay at work; returns how many times ours fits into the stock one's median."""
    print(f"{'RELAY AT WORK':<44}{'median':>12}{'99 %':>12}{'99.9 %':>12}")
    ratios: Samples = []
    with relay() as mailhost:
        for name, new in (("each 50th error a new one", 50), ("each error a new one", 1)):
            print(name)
            figures = []
            for handler in (SMTPHandler(mailhost, *ADDRESSES), ours(mailhost)):
                with contextlib.closing(handler):
                    measure(handler, 20, new)
                    figures.append(milliseconds(measure(handler, number, new)))
                show(f"  {type(handler).__module__}.{type(handler).__name__}", figures[-1])
            times = tuple(theirs / own for theirs, own in zip(*figures, strict=True))
            show("  stock : ours", times, "times")
            ratios.append(times[0])
    return ratios[0]


def hang(number: int) -> float:
    """Ours while the relay hangs; returns the worst 99.9th percentile in ms."""
    print(f"\n{'RELAY HANGS':<44}{'median':>12}{'99 %':>12}{'99.9 %':>12}")
    worst = 0.0
    for name, new in (("equal errors", number), ("each 50th error a new one", 50), ("each error a new one", 1)):
        roomy = {"queue_size": number, "queue_bytes": 2**30}  # what finds no room is only counted, and cheap
        with hanging() as mailhost, contextlib.closing(ours(mailhost, exit_timeout=0, **roomy)) as handler:
            figures = milliseconds(measure(handler, number, new, undisturbed))
        show(f"  {name}", figures)
        worst = max(worst, figures[2] if new > 1 else 0.0)
    show("  the formatter alone", milliseconds(measure(_OnlyFormats(), number, 1, undisturbed)))
    return worst


class _OnlyFormats(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def storm(seconds: float) -> bool:
    """10,000 errors a second, each case in a fresh process; returns whether the counts are right."""
    print(f"\nSTORM of {RATE:,} errors/s for {seconds:g} s", flush=True)
    with relay() as mailhost, hanging() as dead_end:
        cases = (
            ("relay at work, 20 kinds of errors", mailhost, 20),
            ("relay hangs, 20 kinds of errors", dead_end, 20),
            ("relay hangs, each error a new one", dead_end, sys.maxsize),
        )
        fresh = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1)
        with fresh:
            right = [fresh.submit(_storm, name, address, seconds, kinds) for name, address, kinds in cases]
    return all(each.result() for each in right)


def _storm(name: str, mailhost: Mailhost, seconds: float, kinds: int) -> bool:
    """Prints how much memory grew and what became of the errors."""
    logging.raiseExceptions = False
    handler = ours(mailhost, exit_timeout=0)
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    logger.addHandler(handler)
    gc.collect()
    before = resident()
    number, took = _blow(logger, seconds, kinds)
    grown = resident() - before
    handler.flush(5)
    pending, dropped = handler.pending, handler.dropped
    logger.removeHandler(handler)
    handler.close()
    print(f"  {name}: {number:,} errors in {took:.1f} s; memory grew by {grown:.1f} MiB")
    print(f"    delivered {number - pending - dropped:,}, waiting {pending:,}, dropped {dropped:,}", flush=True)
    return pending + dropped == number if kinds > 1000 else (pending, dropped) in {(0, 0), (number, 0)}


def _blow(logger: logging.Logger, seconds: float, kinds: int) -> tuple[int, float]:
    """Log at the given rate, so many kinds of errors in turn; returns how many and the seconds that it took.

    On a machine that cannot keep up it takes longer: as many errors all the same.
    """
    started = time.perf_counter()
    total = int(seconds * RATE)
    number = 0
    while number < total:
        for _ in range(min(total, int((time.perf_counter() - started) * RATE)) - number):
            try:
                fail(2, _alphabetic_word(number % kinds))
            except LookupError:
                logger.exception("order failed")
            number += 1
        time.sleep(0.001)
    return number, time.perf_counter() - started


def resident() -> float:
    """MiB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Everything in turn; 0 if all promises are kept."""
    parser = argparse.ArgumentParser(description="Cost of a logged error to the thread that logs it.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the errors")
    share = 0.1 if parser.parse_args().quick else 1.0
    logging.raiseExceptions = False
    times = compare(int(5000 * share))
    tail = hang(max(3000, int(10000 * share)))  # of fewer, the 99.9th percentile is an accident
    right = storm(10 * share)
    verdicts = {
        f"median at most 1/100 of the stock one's: 1/{times:.0f}": times >= 100,
        f"99.9th percentile at most 1 ms while the relay hangs: {tail:.3f} ms": tail <= 1,
        "every error of the storm delivered, waiting or counted as dropped": right,
    }
    print("\n" + "\n".join(f"{'kept  ' if kept else 'MISSED'}  {verdict}" for verdict, kept in verdicts.items()))
    return 0 if all(verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
