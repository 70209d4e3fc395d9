"""Stack traces that Perl's Carp prints."""

import pytest

from relay.traces import find
from tests.support.printed_traces import read

CONFESSED = """gate 5 too high at /srv/toll/lib/Toll/Gate.pm line 4.
	Toll::Gate::lift(Toll::Gate=HASH(0x55f6), "x\\x{a}y") called at /usr/share/perl5/Try/Tiny.pm line 102
	eval {...} called at /usr/share/perl5/Try/Tiny.pm line 93
	main::pay(5) called at /srv/toll/bin/toll.pl line 40, <STDIN> line 7.
"""


def test_functions_have_the_file_in_which_they_stand():
    frames = read(CONFESSED).errors[0].frames

    assert [frame.place for frame in frames] == ["? (toll.pl)", "pay (Try/Tiny.pm)", "Toll::Gate::lift (Toll/Gate.pm)"]
    assert read(CONFESSED).errors[0].message == "gate 5 too high"


def test_two_places_of_the_message_are_no_frames():
    text = """Can't call method "count" at Gate.pm line 3.
 at toll.pl line 10.
	main::__ANON__("Can't call") called at Gate.pm line 3
	Toll::Gate::pay(3) called at toll.pl line 10
"""
    trace = read(text)

    assert trace.errors[0].message == 'Can\'t call method "count"'
    assert [frame.function for frame in trace.errors[0].frames] == ["", "Toll::Gate::pay", "anonymous"]


@pytest.mark.parametrize(
    "text",
    [
        "no cart\nreally none at Toll/Gate.pm line 7.\n",
        "The meeting starts at noon at room 5 line 3.\n\tAda (ada@example.com) called at 5 pm\n",
        "We (all three) called at the shop on line 7\n",
        "\tprintf(3) is called at startup\n",
    ],
)
def test_message_with_a_place_and_prose_are_no_traces(text):
    assert find(text) is None
