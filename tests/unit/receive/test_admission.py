"""Which connection is closed first when all places are taken."""

from __future__ import annotations

from relay.receive.admission import HANDSHAKE_GRACE, STALLED_AFTER, Admission


class Someone:
    def __init__(self, *, in_transaction: bool = False, in_handshake: bool = False, peer: str = "127.0.0.1") -> None:
        self.in_transaction = in_transaction
        self.in_handshake = in_handshake
        self.peer = peer

    def close_if_overdue(self, now: float) -> None: ...

    def close_with(self, reply: bytes) -> None: ...

    def abort(self) -> None: ...


def test_one_silent_in_its_transaction_goes_only_after_a_while_and_one_at_work_never():
    admission = Admission(3, 3)
    silent, working, idle = Someone(in_transaction=True), Someone(in_transaction=True), Someone()
    for client in (silent, working, idle):
        admission.add(client)
    admission.note_waiting(silent, 100.0)
    admission.note_waiting(working, 100.0)
    admission.note_working(working)
    admission.note_waiting(idle, 101.0)

    assert admission.full
    assert admission.next_to_evict(102.0) is idle
    assert admission.idle() == [idle]
    assert admission.next_to_evict(100.0 + STALLED_AFTER) is silent
    admission.remove(silent)
    admission.remove(idle)
    assert admission.next_to_evict(1e9) is None
    assert not admission.full


def test_handshake_goes_at_once_where_all_places_are_taken_and_later_for_others_of_its_address():
    admission = Admission(2, 2)
    greeting, idle = Someone(in_handshake=True), Someone(peer="127.0.0.2")
    for client in (greeting, idle):
        admission.add(client)
        admission.note_waiting(client, 100.0)

    assert admission.next_to_evict(100.0) is greeting
    assert admission.next_to_evict(100.0, "127.0.0.1") is None
    assert admission.next_to_evict(100.0 + HANDSHAKE_GRACE, "127.0.0.1") is greeting
    assert admission.next_to_evict(100.0, "127.0.0.2") is idle


def test_mail_is_about_to_come_of_one_in_its_transaction_that_was_heard_of_just_now():
    admission = Admission(9, 9)
    silent, idle, coming = Someone(in_transaction=True), Someone(), Someone(in_transaction=True)
    assert not admission.has_sender_since(0.0)
    for client in (silent, idle, coming):
        admission.add(client)
    admission.note_waiting(silent, 100.0)
    admission.note_waiting(idle, 105.0)
    assert not admission.has_sender_since(104.0)
    assert admission.has_sender_since(100.0)

    admission.note_waiting(coming, 103.0)
    assert admission.has_sender_since(103.0)
    admission.note_working(coming)
    assert not admission.has_sender_since(103.0)


def test_one_that_left_is_never_found_again():
    admission = Admission(1, 1)
    client = Someone()
    admission.add(client)
    admission.remove(client)
    admission.note_waiting(client, 1.0)

    assert admission.next_to_evict(1e9) is None
    assert admission.idle() == list(admission) == []
