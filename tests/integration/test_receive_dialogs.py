"""Every dialog of `tests/data/dialogs` with the real receiver: each reply, and each stored byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from relay.receive import Access, Limits, replies
from relay.receive.passwords import make_hash
from tests.support.dialogs import END, Dialog, Player, differences, load, load_all
from tests.support.paths import DOCS
from tests.support.receiving import RunningReceiver, receiving
from tests.support.refusals import REFUSED

DIALOGS = load_all()
LIMITS = Limits(stop_within=0.2, hostname="relay.example", max_size=1 << 20)


@pytest.fixture(scope="module")
def receivers(tmp_path_factory):
    """Start a receiver for each requested setup."""
    folder = tmp_path_factory.mktemp("dialogs")
    certificate = folder / "certificate.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    accesses = {
        "open": Access(),
        "locked": Access(username="app", password=make_hash("secret")),
        "tls": Access(tls_cert=str(certificate)),
        "tls-first": Access(tls_cert=str(certificate)),
    }
    started: dict[str, RunningReceiver] = {}

    def get(setup: str) -> RunningReceiver:
        if setup not in started:
            tls_first = setup == "tls-first"
            manager = receiving(folder / setup, LIMITS, accesses[setup], tls_first=tls_first)
            started[setup] = manager.__enter__()
            managers.append(manager)
        return started[setup]

    managers: list = []
    yield get
    for manager in managers:
        manager.__exit__(None, None, None)


@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda dialog: dialog.name)
def test_dialog_has_the_expected_replies_and_mails(receivers, dialog: Dialog):
    running = receivers(dialog.setup)
    before = len(running.records())
    player = Player(running.port, timeout=20, tls_first=dialog.setup == "tls-first")
    try:
        found = player.play(dialog)
    finally:
        player.close()

    assert differences(dialog, found) == []
    assert running.receiver.counters.unexpected_errors == 0
    assert running.contents()[before:] == dialog.stored


def test_there_are_at_least_100_dialogs_with_titles_and_expected_replies():
    assert len(DIALOGS) >= 100
    assert len({dialog.title for dialog in DIALOGS}) == len(DIALOGS)
    assert all(any(kind in {"<", "end"} for kind, _ in dialog.steps) for dialog in DIALOGS)


def test_page_gives_a_reason_for_every_refusal():
    texts = [value.decode() for value in vars(replies).values() if isinstance(value, bytes)]
    refusals = {" ".join(text.split(" ")[:2]) for text in texts if text[0] in "45"}

    assert refusals == {reply for row in REFUSED for reply in row[0].split(", ")}
    assert all(" | ".join(row) in (DOCS / "smtp-dialogs.md").read_text() for row in REFUSED)


def test_wrong_reply_is_reported(tmp_path: Path):
    file = tmp_path / "case.txt"
    file.write_text("A case.\n> NOOP\n< 250\n< 250 2\nend\n= 3 * x + y\\r\\n\n")
    dialog = load(file)

    assert dialog.stored == [b"xxxy\r\n"]
    assert differences(dialog, ["250 2.0.0 OK", "250 2.0.0 OK", END]) == []
    assert len(differences(dialog, ["500 What", "2500", "221 Bye"])) == 3
