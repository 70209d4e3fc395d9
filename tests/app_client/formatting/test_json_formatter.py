"""JSON lines: one object a record, whatever the record holds."""

import json
from datetime import datetime

import app_client
from tests.support.log_records import FACTS, FORGERY, raised, record


def test_json_is_one_object_in_one_line():
    text = app_client.JsonFormatter(facts=lambda: FACTS).format(
        record(msg=FORGERY, args=(), exc_info=raised(ValueError(FORGERY)), order=17, password="hunter2")
    )
    told = json.loads(text)

    assert len(text.splitlines()) == 1
    assert told["message"] == FORGERY
    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith(f"ValueError: {FORGERY}")
    assert datetime.fromisoformat(told["time"]).tzinfo is not None
    assert told["request"]["user_id"] == "42"
    assert told["extra"] == {"order": 17, "password": "[masked]"}
    assert (told["level"], told["logger"], told["pathname"], told["lineno"], told["function"]) == (
        "ERROR",
        "yourapplication",
        "/app/views.py",
        42,
        "checkout",
    )


def test_json_leaves_out_what_there_is_not():
    assert not {"exception", "stack", "request", "extra"} & set(json.loads(app_client.JsonFormatter().format(record())))


def test_json_takes_any_extra():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    ring: dict = {}
    ring["ring"] = ring
    extra = {"a": Broken(), "b": float("nan"), "c": 10**5000, "d": ring, "e": {"token": "s3cret", 7: [None, "\udc80"]}}
    told = json.loads(app_client.JsonFormatter().format(record(**extra)))["extra"]

    assert told["a"] == "<Broken>"
    assert told["b"] == "nan"
    assert told["e"] == {"token": "[masked]", "7": [None, "\udc80"]}
    assert set(told) == set("abcde")
