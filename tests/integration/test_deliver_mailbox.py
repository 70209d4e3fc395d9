"""The local mailbox: a Maildir that stores each mail once, readable for its owner alone."""

import mailbox as standard
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.config import make_settings
from relay.data_dir import DataDir
from relay.deliver import Mailbox, Upstream, open_target
from relay.errors import LeaseLost
from relay.model import Attempt, Failure, Verdict

ADA, BOB = "ada@example.com", "bob@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mailbox"


@pytest.fixture
def box(folder: Path) -> Mailbox:
    return Mailbox(folder)


def mail_bytes(message_id: str = "<1@relay.test>", text: str = "news") -> bytes:
    return f"From: relay@localhost\r\nMessage-ID: {message_id}\r\n\r\n{text}\r\n.\r\n".encode()


def deliver(box: Mailbox, raw: bytes, *recipients: str) -> Attempt:
    return box.deliver(raw, sender="relay@localhost", recipients=recipients or (ADA,), before_data=lambda: None)


def test_settings_without_an_upstream_open_the_mailbox(tmp_path: Path) -> None:
    local = open_target(make_settings(tmp_path))
    remote = open_target(make_settings(tmp_path, admins=[ADA], upstream={"host": "mail.example.com"}))

    assert (type(local), type(remote)) == (Mailbox, Upstream)
    assert str(local) == f"local mailbox {DataDir(tmp_path).mailbox}"
    assert str(remote) == "mail.example.com:587"


def test_a_message_is_stored_once_for_all_recipients(box: Mailbox, folder: Path) -> None:
    attempt = deliver(box, mail_bytes(), ADA, BOB)

    assert {recipient: reply.verdict for recipient, reply in attempt.replies.items()} == {
        ADA: Verdict.ACCEPTED,
        BOB: Verdict.ACCEPTED,
    }
    [mail] = standard.Maildir(folder, create=False)
    assert (mail["Message-ID"], mail.get_payload()) == ("<1@relay.test>", "news\n.\n")


def test_only_the_owner_can_read_it(box: Mailbox, folder: Path) -> None:
    before = os.umask(0)
    try:
        deliver(box, mail_bytes())
    finally:
        os.umask(before)

    [mail] = box.mails()
    assert mail.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700}


@pytest.mark.parametrize("read", [False, True])
def test_a_message_that_is_tried_again_is_stored_once(read: bool, box: Mailbox, folder: Path) -> None:
    deliver(box, mail_bytes())
    if read:
        [mail] = box.mails()
        mail.rename(folder / "cur" / f"{mail.name}:2,S")

    attempt = deliver(box, mail_bytes())

    assert attempt.replies[ADA].verdict is Verdict.ACCEPTED
    assert len(box.mails()) == 1


def test_a_file_that_a_crash_left_half_written_is_written_again(box: Mailbox, folder: Path) -> None:
    deliver(box, mail_bytes())
    [whole] = box.mails()
    whole.rename(folder / "tmp" / whole.name)
    (folder / "tmp" / whole.name).write_bytes(b"From: rel")

    deliver(box, mail_bytes())

    [again] = box.mails()
    assert again.read_bytes() == mail_bytes().replace(b"\r\n", b"\n")
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "message_id", ["<../../../etc/passwd@x>", "</absolute@x>", "", "<" + "x" * 5000 + "@x>", "<a:2,S@x>"]
)
def test_a_message_id_cannot_choose_the_file(message_id: str, box: Mailbox, folder: Path) -> None:
    deliver(box, mail_bytes(message_id))
    deliver(box, mail_bytes(message_id))

    [mail] = box.mails()
    assert mail.parent == folder / "new"
    assert mail.name.isalnum()


def test_mails_without_a_message_id_are_distinguished_by_their_content(box: Mailbox) -> None:
    for text in ("one", "two", "one"):
        deliver(box, f"From: relay@localhost\r\n\r\n{text}\r\n".encode())

    assert len(box.mails()) == 2


def test_a_lost_claim_leaves_no_mail(box: Mailbox) -> None:
    def lost() -> None:
        raise LeaseLost("another worker has it")

    with pytest.raises(LeaseLost):
        box.deliver(mail_bytes(), sender="", recipients=[ADA], before_data=lost)

    assert box.mails() == []


def test_a_symlink_instead_of_the_file_is_not_followed(box: Mailbox, folder: Path, tmp_path: Path) -> None:
    deliver(box, mail_bytes())
    [mail] = box.mails()
    mail.unlink()
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (folder / "tmp" / mail.name).symlink_to(target)

    attempt = deliver(box, mail_bytes())

    assert attempt.failure is Failure.MAILBOX
    assert target.read_bytes() == b"precious"


def test_a_disk_error_is_a_failure_of_the_mailbox(box: Mailbox, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where a folder should be")

    attempt = deliver(box, mail_bytes())

    assert (attempt.failure, attempt.replies) == (Failure.MAILBOX, {})
    assert attempt.detail == f"local mailbox {folder}: File exists"


def test_mails_are_listed_newest_first_and_expire_by_age_and_number(box: Mailbox, folder: Path) -> None:
    now = datetime.now(UTC)
    for age in range(6):
        deliver(box, mail_bytes(f"<{age}@relay.test>"))
        [new] = [mail for mail in box.mails() if f"<{age}@".encode() in mail.read_bytes()]
        stored_at = (now - timedelta(days=age)).timestamp()
        os.utime(new, (stored_at, stored_at))
    half_written = folder / "tmp" / "left over"
    half_written.touch()
    os.utime(half_written, (0, 0))

    removed = box.expire(now - timedelta(days=4, hours=12), at_most=3)

    assert removed == 4
    assert [mail.read_bytes().split(b"<")[1][:1] for mail in box.mails()] == [b"0", b"1", b"2"]
    assert not half_written.exists()


def test_an_empty_mailbox_has_no_mails_and_nothing_to_expire(box: Mailbox) -> None:
    assert box.mails() == []
    assert box.expire(datetime.now(UTC), at_most=0) == 0
