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
