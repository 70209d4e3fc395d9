"""The JSON part of a mail: its content, what it never contains, and its size."""

import gc
import json
import logging
import sys
import threading
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_client import ErrorMailHandler, RequestFacts
from app_client.capture.snapshot import MAX_INNER, MAX_OUTER, snapshot
from app_client.delivery.json_part import MAX_SIZE, VERSION, write

ORIGIN = {
    "App": "shop", "Environment": "production", "Release": "7", "Host": "web-1", "Logger": "shop", "Level": "ERROR",
}  # fmt: skip
FACTS = RequestFacts(
    method="GET", url="https://u:pw@shop.example/pay?order=17&token=hunter2", endpoint="pay", remote_addr="203.0.113.7",
    user_agent="curl/8", request_id="r-17", user_id="42",
)  # fmt: skip


def record(message: object = "no stock", *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None
    if error is not None:
        try:
            raise error  # noqa: TRY301 - creates a traceback
        except BaseException:  # noqa: BLE001 - raised by the test
            info = sys.exc_info()
    return logging.LogRecord("shop", logging.ERROR, "/app/views.py", 42, message, arguments, info, "checkout")


def json_of(of: logging.LogRecord, facts=None, package: str = ""):
    taken = snapshot(of, facts)
    assert taken is not None
    text = write(taken, ORIGIN, package)
    assert text.isascii()
    assert len(text) <= MAX_SIZE
    return json.loads(text)


class PaymentError(Exception):
    pass


def test_json_part_contains_all_documented_fields():
    error = PaymentError("cannot pay")
    error.__cause__ = record(error=KeyError("order")).exc_info[1]  # type: ignore[index]
    failed = record("order %s of %d failed", "17", 18, error=error)
    part = json_of(failed, lambda: FACTS)
    last, cause = part.pop("exceptions")
    [frame] = last.pop("frames")

    assert part == {
        "version": VERSION,
        "app": "shop", "environment": "production", "release": "7", "host": "web-1", "logger": "shop", "level": "ERROR",
        "location": "/app/views.py:42", "module": "views", "function": "checkout",
        "thread": threading.current_thread().name, "process": {"id": failed.process, "name": "MainProcess"},
        "message": {"template": "order %s of %d failed", "arguments": ["str", "int"]},
        "request": {
            "method": "GET", "url": "https://[masked]@shop.example/pay?order=17&token=[masked]", "endpoint": "pay",
            "remote_addr": "203.0.113.7", "user_agent": "curl/8", "request_id": "r-17", "user_id": "42",
        },
    }  # fmt: skip
    assert last == {"type": "PaymentError", "module": __name__, "message": "cannot pay"}
    assert (cause["type"], cause["module"], cause["message"]) == ("KeyError", "builtins", "'order'")
    assert cause["link"] == "cause"
    assert frame == {
        "file": __file__, "line": frame["line"], "function": "record", "module": __name__, "in_app": True,
    }  # fmt: skip
    assert Path(__file__).read_text().splitlines()[frame["line"] - 1].strip().startswith("raise error")


def test_only_the_types_of_arguments_are_sent():
    class Customer:
        def __repr__(self):
            return "hunter2"

    part = json_of(record("%s %s %r %s", Customer(), "hunter2", ["hunter2"], None))
    named = json_of(record("%(who)s %(password)s", {"who": "hunter2", "password": "hunter2"}))

    assert part["message"]["arguments"][1:] == ["str", "list", "NoneType"]
    assert part["message"]["arguments"][0].endswith(".Customer")
    assert named["message"] == {"template": "%(who)s %(password)s", "arguments": {"who": "str", "password": "str"}}
    assert "hunter2" not in json.dumps([part, named])


def test_values_with_secret_names_are_masked_in_every_text():
    part = json_of(
        record("f-string with password=hunter2", error=ValueError("{'api_key': 'hunter2', 'author': 'anna'}"))
    )

    assert "hunter2" not in json.dumps(part)
    assert "anna" in part["exceptions"][0]["message"]


def test_frames_of_libraries_are_not_in_app(monkeypatch):
    def fail_in(path: str, module: str) -> ValueError:
        names: dict[str, object] = {"__name__": module}
        exec(compile("def fail(): raise ValueError('x')", path, "exec"), names)
        try:
            names["fail"]()  # type: ignore[operator]
        except ValueError as error:
            return error.with_traceback(error.__traceback__.tb_next)  # type: ignore[union-attr]
        raise AssertionError

    def is_own(path: str, module: str, package: str = "") -> bool:
        failed = record()
        error = fail_in(path, module)
        failed.exc_info = (ValueError, error, error.__traceback__)
        return json_of(failed, package=package)["exceptions"][0]["frames"][0]["in_app"]

    installed = "/venv/lib/python3.11/site-packages"
    assert is_own("/srv/shop/views.py", "shop.views")
    assert not is_own(f"{installed}/flask/app.py", "flask.app", "shop")
    assert not is_own(json.__file__, "json")
    assert not is_own(f"{installed}/shop/views.py", "shop.views")
    assert is_own(f"{installed}/shop/views.py", "shop.views", "shop")
    assert not is_own(f"{installed}/shopping/views.py", "shopping.views", "shop")


def test_a_deep_stack_keeps_both_ends_and_counts_the_rest():
    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        raise ValueError

    try:
        dive(200)
    except ValueError as error:
        failed = record()
        failed.exc_info = (ValueError, error, error.__traceback__)
    part = json_of(failed)["exceptions"][0]

    assert part["frames"][0]["function"] == "test_a_deep_stack_keeps_both_ends_and_counts_the_rest"
    assert len(part["frames"]) + part["left_out"] == 202
    assert 0 < part["after"] < len(part["frames"]) <= MAX_OUTER + MAX_INNER


def test_truncated_texts_are_marked_and_omitted_items_counted():
    error = ValueError("z" * 5000)
    for _ in range(30):
        error, error.__cause__ = ValueError("z" * 5000), error
    part = json_of(record("x" * 5000, *range(100), error=error), lambda: RequestFacts(user_agent="y" * 5000))
    texts = [part["message"]["template"], part["request"]["user_agent"], part["exceptions"][0]["message"]]

    assert all(text.endswith("…") for text in texts)
    assert part["message"]["arguments"] == ["int"] * 20
    assert part["left_out"] == {"exceptions": 31 - len(part["exceptions"]), "arguments": 80}


def test_a_group_has_the_number_of_its_members():
    part = json_of(record(error=ExceptionGroup("several", [ValueError(), KeyError()])))

    assert part["exceptions"][0]["members"] == 2


TEXT = st.text(max_size=3000)


@given(
    message=TEXT | st.none() | st.binary(max_size=5),
    arguments=st.lists(TEXT | st.integers() | st.none(), max_size=30),
    text=TEXT,
    facts=st.builds(RequestFacts, url=TEXT, user_agent=TEXT, user_id=TEXT, endpoint=TEXT),
    length=st.integers(0, 12),
)
def test_any_record_gives_json_within_its_limits(message, arguments, text, facts, length):
    error: BaseException = ValueError(text)
    for _ in range(length):
        error, cause = RuntimeError(text), error
        error.__cause__ = cause
    failed = record(message, *arguments, error=error)
    failed.processName, failed.threadName, failed.module = text, text, text

    assert json_of(failed, lambda: facts)["version"] == VERSION


@pytest.mark.parametrize("attribute", ["process", "processName", "threadName", "module", "funcName", "lineno", "args"])
@pytest.mark.parametrize("value", [None, 17, -1, 10**5000, "text", object(), {"a": 1}, (1,)], ids=range(8))
def test_a_record_with_unusual_attributes_raises_no_error(attribute, value):
    """Records from other sources may have them."""
    odd = record()
    setattr(odd, attribute, value)
    taken = snapshot(odd, None)

    assert taken is None or json.loads(write(taken, ORIGIN))["version"] == VERSION


def test_failing_facts_remove_the_json_part_but_not_the_mail(sink, make_handler, make_logger):
    def facts() -> RequestFacts:
        raise RuntimeError("no request today")

    handler: ErrorMailHandler = make_handler(sink.mailhost, facts=facts)
    make_logger(handler).error("all the same")
    [mail] = sink.wait_for(1)

    assert mail.text == "all the same\n"
    assert list(mail.message.iter_attachments()) == []


def test_a_snapshot_keeps_no_object_of_the_app_alive():
    class Cart:
        pass

    cart = Cart()
    gone = weakref.ref(cart)

    def fail(held: Cart) -> None:
        raise ValueError("x")

    failed = record("%s", cart)
    try:
        fail(cart)
    except ValueError as error:
        failed.exc_info = (ValueError, error, error.__traceback__)
    taken = snapshot(failed, None)
    del failed, cart
    gc.collect()

    assert taken is not None
    assert gone() is None


def test_weight_grows_with_the_texts():
    deep = snapshot(record("x" * 900, error=ValueError("y" * 900)), None)
    bare = snapshot(record("x"), None)

    assert deep is not None
    assert bare is not None
    assert deep.weight > bare.weight + 1800


def test_json_part_is_sent_with_the_mail(sink, make_handler, make_logger):
    handler: ErrorMailHandler = make_handler(sink.mailhost, app="shop", release="7", facts=lambda: FACTS)
    logger = make_logger(handler)
    logger.error("order %d failed", 17, exc_info=PaymentError("größer"))
    [mail] = sink.wait_for(1)

    assert "PaymentError: größer" in mail.text
    assert mail.json_part["request"]["url"].endswith("token=[masked]")
    assert mail.json_part["exceptions"][0]["message"] == "größer"
    assert mail.json_part["message"] == {"template": "order %d failed", "arguments": ["int"]}
    assert (mail.json_part["app"], mail.json_part["release"]) == ("shop", "7")
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
