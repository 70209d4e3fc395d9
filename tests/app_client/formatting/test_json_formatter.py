"""JSON lines: one object per record, for any record."""

import json
from datetime import datetime

import app_client
from tests.support.log_records import FACTS, FORGERY, raised, record


def test_a_record_is_one_json_object_on_one_line():
    text = app_client.JsonFormatter(facts=lambda: FACTS).format(
        record(msg=FORGERY, args=(), exc_info=raised(ValueError(FORGERY)), order=17, password="hunter2")
    )
    fields = json.loads(text)

    assert len(text.splitlines()) == 1
    assert fields["message"] == FORGERY
    assert fields["exception"].startswith("Traceback (most recent call last):\n")
    assert fields["exception"].endswith(f"ValueError: {FORGERY}")
    assert datetime.fromisoformat(fields["time"]).tzinfo is not None
    assert fields["request"]["user_id"] == "42"
    assert fields["extra"] == {"order": 17, "password": "[masked]"}
    assert (fields["level"], fields["logger"], fields["pathname"], fields["lineno"], fields["function"]) == (
        "ERROR",
        "yourapplication",
        "/app/views.py",
        42,
        "checkout",
    )


def test_empty_fields_are_left_out():
    assert not {"exception", "stack", "request", "extra"} & set(json.loads(app_client.JsonFormatter().format(record())))


def test_any_extra_value_is_accepted():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    ring: dict = {}
    ring["ring"] = ring
    extra = {"a": Broken(), "b": float("nan"), "c": 10**5000, "d": ring, "e": {"token": "s3cret", 7: [None, "\udc80"]}}
    fields = json.loads(app_client.JsonFormatter().format(record(**extra)))["extra"]

    assert fields["a"] == "<Broken>"
    assert fields["b"] == "nan"
    assert fields["e"] == {"token": "[masked]", "7": [None, "\udc80"]}
    assert set(fields) == set("abcde")
