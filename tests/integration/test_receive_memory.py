"""Many large mails at once: none is refused or waits; if memory is used up, less of a mail is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.errors import SpoolError, SpoolFull
from relay.model import CUT_MARKER, IncomingMail, Retained
from relay.receive import Limits
from relay.receive.content import MAX_WHOLE, MIN_RETAINED
from tests.support.receiving import RawClient, RunningReceiver, receiving

ONE = MAX_WHOLE * 3 // 2
"""The memory that a mail of 256 KiB or more claims."""
LARGE = b"".join(b"%08d\r\n" % number for number in range(30_000))


def claimed_memory(running: RunningReceiver) -> int:
    return running.receiver._intake.memory.claimed


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def unfinished(running: RunningReceiver) -> RawClient:
    """A client that has sent all of a large mail but its end."""
    before = claimed_memory(running)
    client = running.connect().greet().begin_data()
    client.send(LARGE)
    wait_until(lambda: claimed_memory(running) == before + ONE)
    return client


@pytest.mark.parametrize("size", [MIN_RETAINED - 10, MIN_RETAINED, MIN_RETAINED + 1, 40_000, len(LARGE)])
def test_mail_without_memory_is_stored_as_both_ends(tmp_path: Path, size: int):
    with receiving(tmp_path, Limits(max_memory=0, stop_within=0.1)) as running:
        content = LARGE[: size - 2] + b"\r\n"
        assert running.connect().greet().mail(content) == "250 2.6.0"

        (record,) = running.records()
        ends = content[: MIN_RETAINED // 4 * 3] + CUT_MARKER % (size - MIN_RETAINED) + content[-MIN_RETAINED // 4 :]
        assert (record.retained, record.size) == (Retained.WHOLE if size <= MIN_RETAINED else Retained.ENDS, size)
        assert record.content == (content if size <= MIN_RETAINED else ends)


def test_less_of_a_mail_is_kept_only_while_the_memory_is_used_up(tmp_path: Path):
    with receiving(tmp_path, Limits(max_memory=2 * ONE, stop_within=0.1)) as running:
        first, second = unfinished(running), unfinished(running)
        late = running.connect().greet()
        assert late.mail(LARGE) == "250 2.6.0"
        assert [client.say(b".") for client in (first, second)] == ["250 2.6.0"] * 2
        assert late.mail(LARGE) == "250 2.6.0"

        little, *others = [len(record.content) for record in running.records()]
        assert little < MIN_RETAINED + 100
        assert min(others) > MAX_WHOLE
        assert claimed_memory(running) == 0


@pytest.mark.parametrize("end", ["disconnects", "is slow", "too large", "no room on the disk", "an unexpected error"])
def test_memory_of_a_mail_is_freed_however_it_ends(tmp_path: Path, end: str):
    quick = {"idle_timeout": 0.5, "min_rate": 10**9} if end == "is slow" else {}
    limits = Limits(max_memory=ONE, max_size=1 << 20, stop_within=0.1, **quick)  # type: ignore[arg-type]
    with receiving(tmp_path, limits) as running:
        client = unfinished(running)
        if end == "disconnects":
            client.close()
        elif end == "too large":
            client.send(LARGE * 3)
        elif end in {"no room on the disk", "an unexpected error"}:
            spool = running.receiver._intake._spool
            error = SpoolFull("no room") if end == "no room on the disk" else RuntimeError("inside")
            running.receiver._intake._spool = FailingSpool(error)
            assert client.say(b".") == ("452 4.3.1" if end == "no room on the disk" else "451 4.3.0")
            running.receiver._intake._spool = spool
        wait_until(lambda: claimed_memory(running) == 0)

        assert running.connect().greet().mail(LARGE) == "250 2.6.0"
        assert len(running.records()[-1].content) > MAX_WHOLE


class FailingSpool:
    """A spool that fails on every mail."""

    records = syncs = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, mail: IncomingMail, *, done: Callable[[SpoolError], None], **_: object) -> None:
        if not isinstance(self._error, SpoolError):
            raise self._error
        asyncio.get_running_loop().call_soon(done, self._error)
