"""Stack traces of Elixir: exceptions, crashed processes, exits that carry an exception."""

import pytest

from relay.traces import relevant_frames
from tests.support.printed_traces import outline, read

CRASHED = """[error] GenServer Shop.Worker terminating
** (FunctionClauseError) no function clause matching in Shop.Cart.price/1

    The following arguments were given to Shop.Cart.price/1:

        # 1
        %{id: 5}

    (shop 1.7.0) lib/shop/cart.ex:3: Shop.Cart.price(%{id: 5})
    (elixir 1.18.2) lib/enum.ex:1714: Enum."-map/2-lists^map/1-1-"/2
    (shop 1.7.0) lib/shop/worker.ex:56: anonymous fn/2 in Shop.Worker.handle_call/3
    (stdlib 6.2) gen_server.erl:2345: :gen_server.try_handle_call/4
Last message (from #PID<0.96.0>): :boom
State: %{}
Client #PID<0.96.0> is alive

    (stdlib 6.2) gen.erl:256: :gen.do_call/4
"""
SCRIPT = """** ({type}) {message}
    a.exs:9: Shop.Cart.total/1
    (elixir 1.14.0) lib/code.ex:1245: Code.require_file/2
"""


def test_crashed_process_is_the_outermost_frame_of_its_exception():
    assert outline(CRASHED) == [
        ("FunctionClauseError", ["GenServer", "Shop.Worker.handle_call", "Shop.Cart.price"]),
    ]


def test_arguments_and_arities_are_no_part_of_a_function():
    frames = read(CRASHED).errors[0].frames

    assert [frame.place for frame in frames[-2:]] == ["Enum.map (enum.ex)", "Shop.Cart.price (shop/cart.ex)"]


def test_code_without_an_application_is_that_of_the_app():
    text = SCRIPT.format(type="ArgumentError", message="no cart 5")

    assert outline(text) == [("ArgumentError", ["Shop.Cart.total"])]
    assert read(text).errors[0].message == "no cart 5"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('no match of right hand side value: %App.User{id: 5, bio: "a, b"}', "no match of right hand side value"),
        (
            "no match of right hand side value: {:error, :enoent}",
            "no match of right hand side value: {:error, :enoent}",
        ),
        ('key :name not found in: %{"a" => 1}', "key :name not found in"),
        ("cart is gone: ask Ada", "cart is gone: ask Ada"),
    ],
)
def test_data_is_left_out_of_the_messages_of_elixir(message, expected):
    assert read(SCRIPT.format(type="MatchError", message=message)).errors[0].message == expected


def test_exception_that_an_exit_carries_is_the_error():
    text = """** (exit) exited in: GenServer.call(#PID<0.106.0>, :boom, 5000)
    ** (EXIT) an exception was raised:
        ** (MatchError) no match of right hand side value: :gone
            (shop 1.7.0) lib/shop/cart.ex:3: Shop.Cart.total/1
            (stdlib 6.2) proc_lib.erl:240: :proc_lib.init_p_do_apply/3
    (elixir 1.18.2) lib/gen_server.ex:1038: GenServer.call/3
"""

    assert outline(text) == [("MatchError", ["Shop.Cart.total"])]


def test_exit_without_an_exception_has_its_reason_as_message():
    text = """** (stop) exited in: GenServer.call(Depot.Map, {:route, "Aarhus"}, 5000)
    ** (EXIT) time out
    (elixir 1.14.0) lib/gen_server.ex:1038: GenServer.call/3
    (depot 0.3.0) lib/depot/van.ex:62: Depot.Van.handle_call/3
"""

    assert read(text).errors[0].message == "exited in: GenServer.call(): time out"
    assert relevant_frames(read(text))[0][0].function == "Depot.Van.handle_call"
