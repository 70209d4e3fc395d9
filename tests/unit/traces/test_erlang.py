"""Stack traces of Erlang: of the shell, of crash reports, and raw terms."""

from tests.support.printed_traces import outline, read


def test_trace_of_the_shell_is_parsed():
    text = """escript: exception error: no match of right hand side value {error,enoent}
  in function  shop:main/1 (/srv/shop/src/shop.erl, line 8)
  in call from erl_eval:local_func/8 (erl_eval.erl, line 644)
"""

    assert outline(text) == [("badmatch", ["shop:main"])]


def test_place_behind_a_function_without_a_clause_is_its_innermost_frame():
    text = """=CRASH REPORT==== 30-Nov-2026::20:15:03 ===
  crasher:
    exception error: no function clause matching shop:price(5) (/srv/shop/src/shop.erl, line 3)
      in function  shop:'-total/1-lc$^0/1-0-'/1 (/srv/shop/src/shop.erl, line 5)
    ancestors: [<0.9.0>]
"""

    assert outline(text) == [("function_clause", ["shop:total", "shop:price"])]


def test_term_that_was_raised_gives_its_name_as_the_type():
    text = "** exception error: {no_cart,5}\n     in function  shop:main/1 (shop.erl, line 9)\n"

    assert outline(text) == [("no_cart", ["shop:main"])]


def test_raw_term_of_a_crash_is_parsed():
    text = """** Generic server depot_map terminating
** Reason for termination ==
** {{badmatch,{error,enoent}},
    [{depot_map,load,1,[{file,"src/depot_map.erl"},{line,41}]},
     {depot_map,handle_call,3,[{file,"src/depot_map.erl"},
                               {line,22}]},
     {gen_server,try_handle_call,4,[{file,"gen_server.erl"},{line,1149}]}]}
"""

    assert outline(text) == [("badmatch", ["depot_map:handle_call", "depot_map:load"])]
    assert read(text).errors[0].message == "badmatch,{error,enoent"
