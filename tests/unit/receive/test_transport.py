"""The states of a connection: which may follow which."""

import asyncio

import pytest

from relay.receive import Access, Limits
from relay.receive.intake import Intake
from relay.receive.transport import _NEXT, State, Transport
from relay.spool import SpoolWriter


@pytest.fixture
def link(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    loop = asyncio.new_event_loop()
    yield Transport(Intake(writer, Limits(), Access()), loop, max_line=100)
    loop.run_until_complete(writer.close())
    loop.close()


def test_every_state_leads_to_the_end_and_the_end_nowhere():
    assert _NEXT.keys() == set(State)
    assert [state for state in State if State.CLOSED not in _NEXT[state]] == [State.CLOSED]
    assert _NEXT[State.CLOSED] == set()


def test_only_the_client_s_turn_can_become_work_or_a_handshake():
    assert [state for state in State if _NEXT[state] & {State.WORKING, State.HANDSHAKE}] == [State.COMMANDS]


def test_a_wrong_transition_is_an_error(link):
    link._enter(State.WORKING)

    with pytest.raises(RuntimeError, match="cannot go from WORKING to HANDSHAKE"):
        link._enter(State.HANDSHAKE)
