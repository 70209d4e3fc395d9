"""Which connection is closed first when all places are taken."""

from __future__ import annotations

from relay.receive.admission import HANDSHAKE, PATIENCE, Roster


class Someone:
    def __init__(self, *, in_transaction: bool = False, in_handshake: bool = False, peer: str = "127.0.0.1") -> None:
        self.in_transaction = in_transaction
        self.in_handshake = in_handshake
        self.peer = peer

    def look_at_the_clock(self, now: float) -> None: ...

    def hang_up(self, reply: bytes) -> None: ...

    def cut(self) -> None: ...


def test_one_silent_in_its_transaction_goes_only_after_a_while_and_one_at_work_never():
    roster = Roster(3, 3)
    silent, working, idle = Someone(in_transaction=True), Someone(in_transaction=True), Someone()
    for client in (silent, working, idle):
        roster.enter(client)
    roster.waits(silent, 100.0)
    roster.waits(working, 100.0)
    roster.works(working)
    roster.waits(idle, 101.0)

    assert roster.full
    assert roster.expendable(102.0) is idle
    assert roster.idle() == [idle]
    assert roster.expendable(100.0 + PATIENCE) is silent
    roster.leave(silent)
    roster.leave(idle)
    assert roster.expendable(1e9) is None
    assert not roster.full


def test_handshake_goes_at_once_where_all_places_are_taken_and_later_for_others_of_its_address():
    roster = Roster(2, 2)
    greeting, idle = Someone(in_handshake=True), Someone(peer="127.0.0.2")
    for client in (greeting, idle):
        roster.enter(client)
        roster.waits(client, 100.0)

    assert roster.expendable(100.0) is greeting
    assert roster.expendable(100.0, "127.0.0.1") is None
    assert roster.expendable(100.0 + HANDSHAKE, "127.0.0.1") is greeting
    assert roster.expendable(100.0, "127.0.0.2") is idle


def test_mail_is_about_to_come_of_one_in_its_transaction_that_was_heard_of_just_now():
    roster = Roster(9, 9)
    silent, idle, coming = Someone(in_transaction=True), Someone(), Someone(in_transaction=True)
    assert not roster.bustling(0.0)
    for client in (silent, idle, coming):
        roster.enter(client)
    roster.waits(silent, 100.0)
    roster.waits(idle, 105.0)
    assert not roster.bustling(104.0)
    assert roster.bustling(100.0)

    roster.waits(coming, 103.0)
    assert roster.bustling(103.0)
    roster.works(coming)
    assert not roster.bustling(103.0)


def test_one_that_left_is_never_found_again():
    roster = Roster(1, 1)
    client = Someone()
    roster.enter(client)
    roster.leave(client)
    roster.waits(client, 1.0)

    assert roster.expendable(1e9) is None
    assert roster.idle() == list(roster) == []
