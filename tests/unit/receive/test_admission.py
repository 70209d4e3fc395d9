"""Which connection is closed first when all places are taken."""

from __future__ import annotations

from relay.receive.admission import HANDSHAKE_GRACE, STALLED_AFTER, Admission


class FakeClient:
    def __init__(self, *, in_transaction: bool = False, in_handshake: bool = False, peer: str = "127.0.0.1") -> None:
        self.in_transaction = in_transaction
        self.in_handshake = in_handshake
        self.peer = peer

    def close_if_overdue(self, now: float) -> None: ...

    def close_with(self, reply: bytes) -> None: ...

    def abort(self) -> None: ...


def test_client_stalled_in_a_transaction_is_evicted_after_a_while_and_a_working_one_never():
    admission = Admission(3, 3)
    silent, working, idle = FakeClient(in_transaction=True), FakeClient(in_transaction=True), FakeClient()
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


def test_handshake_is_evicted_at_once_if_the_receiver_is_full_and_later_for_its_own_address():
    admission = Admission(2, 2)
    handshaking, idle = FakeClient(in_handshake=True), FakeClient(peer="127.0.0.2")
    for client in (handshaking, idle):
        admission.add(client)
        admission.note_waiting(client, 100.0)

    assert admission.next_to_evict(100.0) is handshaking
    assert admission.next_to_evict(100.0, "127.0.0.1") is None
    assert admission.next_to_evict(100.0 + HANDSHAKE_GRACE, "127.0.0.1") is handshaking
    assert admission.next_to_evict(100.0, "127.0.0.2") is idle


def test_mail_is_expected_from_a_client_in_a_transaction_that_sent_something_just_now():
    admission = Admission(9, 9)
    silent, idle, coming = FakeClient(in_transaction=True), FakeClient(), FakeClient(in_transaction=True)
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


def test_removed_client_is_never_found_again():
    admission = Admission(1, 1)
    client = FakeClient()
    admission.add(client)
    admission.remove(client)
    admission.note_waiting(client, 1.0)

    assert admission.next_to_evict(1e9) is None
    assert admission.idle() == list(admission) == []
