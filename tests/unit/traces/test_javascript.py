"""Traces of JavaScript: frames, causes, aggregate errors, rejections."""

from tests.support.printed_traces import outline, printed, read

NODE = printed("node.txt")


def test_frames_causes_and_properties_are_parsed():
    assert outline(NODE["cause"])[1] == ("ReadingError", ["<anonymous>", "show", "exports.checked"])
    assert outline(NODE["crash"]) == [("TypeError", ["Timeout._onTimeout", "exports.station"])]
    assert read(NODE["system"]).end == len(NODE["system"].rstrip())
    assert read(NODE["rejection"]).errors[-1].message == "station 4 is unusable"


AGGREGATE = """[AggregateError: All promises were rejected] {
  [errors]: [
    Error: pump 7 is dry
        at dose (file:///srv/tank/feed.mjs:10:9)
        at async Promise.any (index 0)
        at async file:///srv/tank/feed.mjs:35:3,
    TypeError: pump 8 is clogged {
      code: 'ECLOG'
    },
    Error: pump 9 is dry
        at dose (file:///srv/tank/feed.mjs:10:9) {
      code: 'EDRY'
    }
  ]
}

Node.js v20.20.2"""


def test_aggregate_error_has_its_members():
    found = read(AGGREGATE)

    assert [(error.type, error.message, error.member) for error in found.errors] == [
        ("Error", "pump 9 is dry", True), ("TypeError", "pump 8 is clogged", True), ("Error", "pump 7 is dry", True),
        ("AggregateError", "All promises were rejected", False),
    ]  # fmt: skip
    assert AGGREGATE[found.start : found.end].endswith("]\n}")


def test_unhandled_rejection_has_the_type_that_was_thrown():
    text = "(node:17) UnhandledPromiseRejectionWarning: TypeError: no id\n    at get (/srv/shop/app.js:5:8)\n"

    assert outline(text) == [("TypeError", ["get"])]


# --- Deno and Bun -----------------------------------------------------------------------------------------------------


def test_cause_that_deno_prints_below_the_frames_is_an_error_of_its_own():
    text = """error: Uncaught (in promise) Error: outer 5
if (a) try { total(5) } catch (e) { throw new Error("outer 5", {cause: e}) }
                                          ^
    at file:///srv/shop/web.mjs:8:48
Caused by: TypeError: cart 5 is gone
    at total (file:///srv/shop/cart.mjs:2:34)
    at Object.readFileSync (ext:deno_node/fs.ts:1:10305)
"""

    assert outline(text) == [("TypeError", ["total"]), ("Error", ["<anonymous>"])]


def test_error_of_bun_without_a_name_is_parsed():
    text = """7 | if (a) total(5)
8 | throw new Error("no cart 5")
          ^
error: no cart 5
      at total (/srv/shop/cart.mjs:8:52)
      at /srv/shop/web.mjs:3:1
"""

    assert outline(text) == [("Error", ["<anonymous>", "total"])]
    assert read(text).errors[0].message == "no cart 5"
