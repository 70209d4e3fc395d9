"""Housekeeping on a real ledger, a real spool and real files; only the clock is the test's."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay import config, housekeeping
from relay.data_dir import DataDir
from relay.deliver import Mailbox
from relay.housekeeping import Housekeeping
from relay.ledger import Ledger, sqlite_url
from relay.model import Envelope, IncomingMail, MessageState, Retained
from relay.spool import SpoolReader, SpoolWriter
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    REFUSED,
    SECOND,
    SENT,
    enqueue_pending,
    ingest,
    key,
    sample,
    send,
)

OLD = 20 * DAY


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def ledger(data_dir: Path) -> Iterator[Ledger]:
    opened = Ledger.open(sqlite_url(data_dir / "ledger.db"))
    yield opened
    opened.close()


@pytest.fixture
def new_steps(ledger: Ledger, data_dir: Path) -> Callable[..., Housekeeping]:
    def start(**storage: object) -> Housekeeping:
        return Housekeeping(ledger, SpoolReader(data_dir / "spool"), config.make_settings(data_dir, storage=storage))

    return start


@pytest.fixture
def steps(new_steps: Callable[..., Housekeeping]) -> Housekeeping:
    """Housekeeping that has trusted its clock since the day before noon."""
    made = new_steps()
    trust(made)
    return made


def trust(steps: Housekeeping, until: datetime = NOON - MINUTE) -> None:
    """Let the clock run steadily for longer than it is disbelieved."""
    steps.step(until - 7 * HOUR)
    steps.step(until)


def run(steps: Housekeeping, now: datetime = NOON) -> None:
    while steps.step(now):
        pass


def samples(ledger: Ledger) -> list[str]:
    return [each.report.message for group in ledger.groups() for each in ledger.samples_of(group.id)]


def add_sample(ledger: Ledger, message: str, at: datetime, name: str = "KeyError") -> None:
    ingest(ledger, {name: 1}, at=at)
    position = ledger.cursor("a" * 32)
    with ledger.ingesting("a" * 32, position) as tx:
        [group] = tx.groups([key(name)]).values()
        tx.save([group])
        tx.sample(group.id, sample(message, at))


# --- What is old goes -------------------------------------------------------------------------------------------------


def test_samples_go_when_their_time_is_over_and_the_books_stay(steps: Housekeeping, ledger: Ledger) -> None:
    add_sample(ledger, "long ago", NOON - OLD)
    add_sample(ledger, "yesterday", NOON - DAY)
    books = ledger.books(NOON)

    run(steps)

    assert "yesterday" in samples(ledger)
    assert "long ago" not in samples(ledger)
    assert ledger.books(NOON) == books


def test_settled_messages_lose_their_bytes_and_dead_ones_keep_them(steps: Housekeeping, ledger: Ledger) -> None:
    messages = {}
    for state, outcome in ((MessageState.SENT, SENT), (MessageState.DEAD, REFUSED)):
        ingest(ledger, {"KeyError": 1}, at=NOON - OLD)
        messages[state] = enqueue_pending(ledger, [ADA], at=NOON - OLD)
        send(ledger, outcome, at=NOON - OLD)
    ingest(ledger, {"KeyError": 1}, at=NOON - OLD)
    messages[MessageState.OPEN] = enqueue_pending(ledger, [BOB], at=NOON - OLD)

    run(steps)

    assert {state: ledger.raw(message_id) is not None for state, message_id in messages.items()} == {
        MessageState.SENT: False,
        MessageState.DEAD: True,
        MessageState.OPEN: True,
    }


def park(ledger: Ledger, data_dir: Path, at: datetime, *, written: bool = True, folder: str = "parked") -> Path:
    path = data_dir / folder / f"{'a' * 32}-{ledger.cursor('a' * 32)}.eml"
    if written:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"poison")
        os.utime(path, (at.timestamp(), at.timestamp()))
    position = ledger.cursor("a" * 32)
    with ledger.ingesting("a" * 32, position) as tx:
        tx.book(received=1, parked=1)
        tx.quarantine(position, at=at, reason="killed the worker", path=str(path))
        tx.advance(position + 1)
    return path


def test_parked_mails_go_with_their_entries_and_stay_in_the_books(
    steps: Housekeeping, ledger: Ledger, data_dir: Path
) -> None:
    old, new = park(ledger, data_dir, NOON - OLD), park(ledger, data_dir, NOON - DAY)

    run(steps)

    assert (old.exists(), new.exists()) == (False, True)
    assert [mail.path for mail in ledger.quarantined()] == [str(new)]
    assert ledger.books(NOON).parked == 2


def test_what_a_killed_backup_left_goes_after_a_day_and_nothing_of_an_administrator(
    steps: Housekeeping, data_dir: Path
) -> None:
    left, at_work, own = data_dir / ".relay-backup-x", data_dir / ".relay-repair-y", data_dir / "backup-2026"
    for folder in (left, at_work, own):
        (folder / "spool").mkdir(parents=True)
    for folder, at in ((left, NOON - 2 * DAY), (at_work, NOON), (own, NOON - 2 * DAY)):
        os.utime(folder, (at.timestamp(), at.timestamp()))

    run(steps)

    assert [folder.exists() for folder in (left, at_work, own)] == [False, True, True]


def test_a_parked_mail_of_another_machine_is_left_to_it_for_a_day(
    steps: Housekeeping, ledger: Ledger, data_dir: Path
) -> None:
    park(ledger, data_dir, NOON - 14 * DAY - HOUR, written=False)

    run(steps)
    assert len(ledger.quarantined()) == 1

    run(steps, NOON + 23 * HOUR + SECOND)
    assert ledger.quarantined() == []


def test_only_files_among_the_parked_ones_are_removed(steps: Housekeeping, ledger: Ledger, data_dir: Path) -> None:
    elsewhere = park(ledger, data_dir, NOON - OLD, folder="elsewhere")

    run(steps)

    assert elsewhere.exists()
    assert ledger.quarantined() == []


def test_a_parked_file_without_an_entry_goes_too(steps: Housekeeping, data_dir: Path) -> None:
    left_over = data_dir / "parked" / "left over.eml"
    left_over.parent.mkdir()
    left_over.write_bytes(b"poison")
    os.utime(left_over, ((NOON - OLD).timestamp(),) * 2)

    run(steps)

    assert not left_over.exists()


def keep(data_dir: Path, number: int, at: datetime) -> Path:
    """Deliver a mail into the local mailbox; returns its file."""
    box = Mailbox(DataDir(data_dir).mailbox)
    before = set(box.mails())
    raw = f"Message-ID: <{number}@relay>\r\n\r\nnews\r\n".encode()
    box.deliver(raw, sender="", recipients=[ADA], before_data=lambda: None)
    [path] = set(box.mails()) - before
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def test_the_local_mailbox_keeps_what_is_young_and_not_too_much(
    steps: Housekeeping, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "MAILBOX_AT_MOST", 3)
    keep(data_dir, 0, NOON - OLD)
    young = [keep(data_dir, number, NOON - number * HOUR) for number in range(1, 6)]

    run(steps)

    assert Mailbox(DataDir(data_dir).mailbox).mails() == young[:3]


async def test_segments_that_are_sorted_are_removed(steps: Housekeeping, ledger: Ledger, data_dir: Path) -> None:
    writer = SpoolWriter.open(data_dir / "spool", segment_size=64 * 1024)
    for _ in range(8):
        await writer.append(
            IncomingMail(
                received_at=NOON,
                envelope=Envelope(sender="", recipients=(), peer=""),
                retained=Retained.WHOLE,
                content=b"x" * 20_000,
                size=20_000,
            )
        )
    await writer.close()
    reader = SpoolReader(data_dir / "spool")
    records = reader.read(0)
    with ledger.ingesting(reader.spool_id, 0) as tx:
        tx.book(received=5)
        tx.advance(records[4].end)

    run(steps)

    assert [record.position for record in reader.read(records[5].position)] == [each.position for each in records[5:]]
    assert reader.read(0)[0].position > records[0].position


# --- The clock --------------------------------------------------------------------------------------------------------


def test_it_runs_once_a_minute(steps: Housekeeping, ledger: Ledger) -> None:
    run(steps)
    add_sample(ledger, "long ago", NOON - OLD)

    run(steps, NOON + 59 * SECOND)
    assert "long ago" in samples(ledger)

    run(steps, NOON + MINUTE)
    assert "long ago" not in samples(ledger)


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(days=-365), timedelta(days=2)])
def test_nothing_goes_for_hours_after_the_clock_jumped(jump: timedelta, steps: Housekeeping, ledger: Ledger) -> None:
    add_sample(ledger, "of today", NOON)
    add_sample(ledger, "long ago", NOON + jump - OLD)
    there = NOON + jump

    for minute in range(0, 359, 30):
        run(steps, there + minute * MINUTE)
    assert {"of today", "long ago"} <= set(samples(ledger))

    run(steps, there + 6 * HOUR)
    assert "long ago" not in samples(ledger)


def test_a_clock_that_is_put_right_again_has_cost_nothing(steps: Housekeeping, ledger: Ledger) -> None:
    add_sample(ledger, "of today", NOON)

    run(steps, NOON + 365 * DAY)
    run(steps, NOON + 365 * DAY + HOUR)
    run(steps, NOON + 2 * HOUR)
    for hour in range(3, 12):
        run(steps, NOON + hour * HOUR)

    assert "of today" in samples(ledger)


def test_a_wrong_clock_at_the_start_is_seen_too(
    steps: Housekeeping, ledger: Ledger, new_steps: Callable[..., Housekeeping]
) -> None:
    add_sample(ledger, "of today", NOON)
    run(steps)

    run(new_steps(), NOON + 365 * DAY)
    run(new_steps(), NOON + 365 * DAY + HOUR)

    assert "of today" in samples(ledger)


@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b"[1]", b"\xff\x00", b'{"stood_at": "noon", "believed_from": 1}']
)
def test_without_a_note_of_the_clock_it_is_as_after_a_jump(
    content: bytes | None, new_steps: Callable[..., Housekeeping], ledger: Ledger, data_dir: Path
) -> None:
    if content is not None:
        (data_dir / "housekeeping.json").write_bytes(content)
    add_sample(ledger, "long ago", NOON - OLD)
    fresh = new_steps()

    run(fresh, NOON)
    run(fresh, NOON + 5 * HOUR)
    assert "long ago" in samples(ledger)

    run(fresh, NOON + 7 * HOUR)
    assert "long ago" not in samples(ledger)
    assert (data_dir / "housekeeping.json").stat().st_mode & 0o777 == 0o600


def test_a_restart_does_not_begin_the_wait_anew(
    steps: Housekeeping, ledger: Ledger, new_steps: Callable[..., Housekeeping]
) -> None:
    run(steps)
    add_sample(ledger, "long ago", NOON - OLD)

    run(new_steps(), NOON + MINUTE)

    assert "long ago" not in samples(ledger)


# --- The disk cap -----------------------------------------------------------------------------------------------------


def test_above_the_disk_cap_samples_and_sent_messages_go_sooner_and_nothing_that_waits(
    new_steps: Callable[..., Housekeeping], ledger: Ledger, data_dir: Path
) -> None:
    capped = new_steps(max_disk="1MiB")
    trust(capped)
    for number in range(60):
        add_sample(ledger, f"{number} " + "x" * 60_000, NOON - DAY, name=f"error {number}")
    dead = enqueue_pending(ledger, [ADA], at=NOON - DAY)
    send(ledger, REFUSED, at=NOON - DAY)
    ingest(ledger, {"waits": 5}, at=NOON - DAY)
    waiting = enqueue_pending(ledger, [ADA], at=NOON - DAY)
    ingest(ledger, {"pending": 7}, at=NOON - DAY)
    books = ledger.books(NOON)

    with capture_logs() as logs:
        for minute in range(15):
            run(capped, NOON + minute * MINUTE)

    assert not any("xxx" in message for message in samples(ledger))
    assert ledger.raw(dead) is not None
    assert ledger.raw(waiting) is not None
    assert ledger.books(NOON) == books
    assert any("more than storage.max_disk: samples" in line["event"] for line in logs)
    ledger.close()  # brings what its log still holds into the file
    assert (data_dir / "ledger.db").stat().st_size < 2**20


def test_an_unreachable_disk_cap_is_logged_and_deletes_nothing_that_must_stay(
    new_steps: Callable[..., Housekeeping], ledger: Ledger, data_dir: Path
) -> None:
    capped = new_steps(max_disk="1KiB")
    trust(capped)
    ingest(ledger, {"pending": 7}, at=NOON - DAY)
    spooled = data_dir / "spool" / "kept"
    spooled.parent.mkdir()
    spooled.write_bytes(b"x" * 100_000)

    with capture_logs() as logs:
        for minute in range(15):
            run(capped, NOON + minute * MINUTE)

    assert spooled.exists()
    assert ledger.books(NOON).pending == 7
    assert logs[-1]["event"].endswith("all that is left must be kept: make room")


def test_below_the_cap_everything_has_its_time_again(
    new_steps: Callable[..., Housekeeping], ledger: Ledger, data_dir: Path
) -> None:
    capped = new_steps(max_disk="2MiB")
    trust(capped)
    ballast = data_dir / "ballast"
    ballast.write_bytes(os.urandom(3 * 2**20))
    for minute in range(15):
        run(capped, NOON + minute * MINUTE)
    ballast.unlink()
    for minute in range(15, 30):
        run(capped, NOON + minute * MINUTE)

    add_sample(ledger, "yesterday", NOON - DAY)
    run(capped, NOON + 31 * MINUTE)

    assert "yesterday" in samples(ledger)


def test_a_file_error_is_logged_and_the_rest_is_done(steps: Housekeeping, ledger: Ledger, data_dir: Path) -> None:
    add_sample(ledger, "long ago", NOON - OLD)
    DataDir(data_dir).mailbox.write_bytes(b"a file where a folder should be")

    with capture_logs() as logs:
        run(steps)

    assert "long ago" not in samples(ledger)
    assert [line["event"] for line in logs] == ["old mails could not be removed from the local mailbox"]
