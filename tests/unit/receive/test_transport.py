"""The states of a connection and the transitions between them."""

import asyncio

import pytest

from relay.receive import Access, Limits
from relay.receive.intake import Intake
from relay.receive.transport import _NEXT, State, Transport
from relay.spool import SpoolWriter


@pytest.fixture
def transport(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    loop = asyncio.new_event_loop()
    yield Transport(Intake(writer, Limits(), Access()), loop, max_line=100)
    loop.run_until_complete(writer.close())
    loop.close()


def test_every_state_may_become_closed_and_closed_is_final():
    assert _NEXT.keys() == set(State)
    assert [state for state in State if State.CLOSED not in _NEXT[state]] == [State.CLOSED]
    assert _NEXT[State.CLOSED] == set()


def test_only_the_command_state_can_become_work_or_a_handshake():
    assert [state for state in State if _NEXT[state] & {State.WORKING, State.HANDSHAKE}] == [State.COMMANDS]


def test_forbidden_transition_is_an_error(transport):
    transport._enter(State.WORKING)

    with pytest.raises(RuntimeError, match="cannot go from WORKING to HANDSHAKE"):
        transport._enter(State.HANDSHAKE)
