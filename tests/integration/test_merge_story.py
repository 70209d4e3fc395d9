"""A storm of two errors that are one: merged, reported, taken apart, with a new worker for each batch."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from relay.commands.actions import Merge, Split, Unmerge, Unsplit
from relay.commands.handle import carry_out
from relay.digest import Digests
from relay.grouping.versions import FingerprintMethod, Versions
from relay.ledger import Ledger, Outcome
from relay.model import Fingerprint, MessageKind
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import NOW, IngestBench, mail

MINUTE = timedelta(minutes=1)
ANNA, ROBERT = "mailbox of anna overflows", "mailbox of robert overflows"


class Story:
    """Mails in, digests out, and an administrator."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
        self.bench = IngestBench(folder, self.ledger)
        self.now = NOW
        self.reported: Counter[int] = Counter()

    def mails(self, **counts: int) -> None:
        texts = {"anna": ANNA, "robert": ROBERT}
        self.bench.spool([mail(texts[name]) for name, count in counts.items() for _ in range(count)], at=self.now)
        self.bench.ingest_all(self.now)  # a new worker

    def digest_after(self, later: timedelta) -> dict[str, int]:
        """Let time pass, compose the digests that are due, deliver them; return the occurrences by title."""
        self.now += later
        digests = Digests(self.ledger, make_renderer(self.bench.settings), self.bench.settings, "one")
        digests.step(self.now)
        found: Counter[str] = Counter()
        while message := self.ledger.claim_message("one", self.now, MINUTE):
            for entry in self.ledger.entries_of(message.id) if message.kind is MessageKind.DIGEST else ():
                found[entry.title] += entry.occurrences
                self.reported[entry.group_id] += entry.occurrences
            sent = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
            self.ledger.settle(message, sent, self.now)
        return dict(found)

    def ids(self) -> dict[str, int]:
        return {group.title: group.id for group in self.ledger.groups()}


def test_merged_errors_have_one_entry_and_every_mail_is_reported_once(tmp_path):
    story = Story(tmp_path)
    story.mails(anna=3, robert=2)
    assert story.digest_after(timedelta(seconds=11)) == {ANNA: 3, ROBERT: 2}

    ids = story.ids()
    command = Merge(errors=(ids[ANNA], ids[ROBERT]), name="Mailboxes", author="eve", reason="one cause", at=story.now)
    carry_out(story.ledger, story.bench.settings, command)
    story.mails(anna=4, robert=6)
    assert story.digest_after(10 * MINUTE) == {"Mailboxes": 10}

    story.mails(robert=7, anna=1)
    carry_out(story.ledger, story.bench.settings, Unmerge(error=ids[ROBERT], author="eve", at=story.now))
    assert story.digest_after(30 * MINUTE) == {ANNA: 1, ROBERT: 7}

    story.mails(robert=1)
    story.digest_after(timedelta(hours=5))
    books = story.ledger.books(story.now)
    assert (books.received, books.reported, books.balanced) == (24, 24, True)
    assert story.reported.total() == 24
    assert {group.title: group.occurrences for group in story.ledger.groups()} == {ANNA: 8, ROBERT: 16}
    story.ledger.close()


def test_merge_goes_on_while_the_relay_is_killed_between_ingest_and_digest(tmp_path):
    """A worker that starts again finds the merge in the ledger."""
    story = Story(tmp_path)
    story.mails(anna=1, robert=1)
    ids = story.ids()
    carry_out(story.ledger, story.bench.settings, Merge(errors=(ids[ROBERT], ids[ANNA]), author="eve", at=story.now))
    story.ledger.close()

    story.ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    story.bench.ledger = story.ledger
    story.mails(anna=5)

    assert story.digest_after(timedelta(seconds=11)) == {ROBERT: 7}
    story.ledger.close()


def by_message(version: int) -> FingerprintMethod:
    """One error, whatever the message; the key depends on the version."""
    return lambda _report: Fingerprint(version=version, key=f"version {version}", title="a mailbox overflows")


def test_split_and_merge_hold_under_a_later_fingerprint_version(tmp_path):
    story = Story(tmp_path)
    story.bench.versions = Versions(current=by_message(1), number=1)
    story.mails(anna=1, robert=2)
    [error] = story.ids().values()
    by: dict[str, Any] = {"author": "eve", "at": story.now}
    carry_out(story.ledger, story.bench.settings, Split(error=error, field="word:3", **by))
    story.mails(anna=4, robert=8)
    anna = "a mailbox overflows (word:3 anna)"
    carry_out(story.ledger, story.bench.settings, Merge(errors=(error, story.ids()[anna]), **by))

    story.bench.versions = Versions(current=by_message(2), number=2, former={1: by_message(1)})
    story.mails(anna=16, robert=32)

    found = {group.title: group.occurrences for group in story.ledger.groups()}
    assert found == {"a mailbox overflows": 3 + 4 + 16, "a mailbox overflows (word:3 robert)": 8 + 32}
    assert story.ledger.books(story.now).balanced
    carry_out(story.ledger, story.bench.settings, Unsplit(error=error, **by))
    story.now += timedelta(seconds=2)
    story.mails(robert=64)
    assert {group.title: group.occurrences for group in story.ledger.groups()} == {
        "a mailbox overflows": 3 + 4 + 16 + 64,
        "a mailbox overflows (word:3 robert)": 8 + 32,
    }
    story.ledger.close()
