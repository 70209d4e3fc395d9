"""The kind of a record, which is the same for equal errors, and the shortening of overlong texts."""

import logging
import sys

import pytest

from app_client.capture.report import HEAD, TAIL, kind_of, shorten


def record_of(message, *arguments, error=None, line=1, name="yourapplication", level=logging.ERROR):
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, level, "/app/views.py", line, message, arguments, info)


def caught(fail, *arguments):
    try:
        fail(*arguments)
    except Exception as error:  # noqa: BLE001 - the subject of the test
        return error
    raise AssertionError("did not fail")


def ship(order):
    return {}[order]


def bill(order):
    return {}[order]


def chained(order):
    try:
        ship(order)
    except KeyError as error:
        raise RuntimeError("no shipping today") from error


def test_numbers_do_not_change_the_kind():
    assert kind_of(record_of("order %d at 0x%x", 17, 255)) == kind_of(record_of("order %d at 0x%x", 1800, 0))


@pytest.mark.parametrize(
    "other",
    [
        record_of("cannot ship", name="otherlibrary"),
        record_of("cannot ship", level=logging.CRITICAL),
        record_of("cannot ship", line=2),
        record_of("cannot bill"),
        record_of("cannot ship", error=caught(ship, 1)),
    ],
    ids=["logger", "level", "line", "message", "exception"],
)
def test_logger_level_location_message_and_exception_change_the_kind(other):
    assert kind_of(record_of("cannot ship")) != kind_of(other)


def test_with_an_exception_the_message_does_not_matter():
    """In Flask it contains the path of the request."""
    first, second = (record_of(f"Exception on /{name} [GET]", error=caught(ship, 1)) for name in ("anna", "ben"))

    assert kind_of(first) == kind_of(second)


@pytest.mark.parametrize(
    "other",
    [caught(bill, 1), caught(ship, "one"), caught(ship, []), caught(chained, 1)],
    ids=["place", "message", "type", "chain"],
)
def test_type_message_lines_and_chain_change_the_kind(other):
    assert kind_of(record_of("x", error=caught(ship, 1))) != kind_of(record_of("x", error=other))


def test_the_call_path_to_the_same_line_changes_the_kind():
    """As in a database library, which raises every error on the same line."""

    def here():
        ship(1)

    def there():
        ship(1)

    assert kind_of(record_of("x", error=caught(here))) != kind_of(record_of("x", error=caught(there)))


def test_members_of_a_group_change_the_kind():
    """As with a task group, whose own text is always the same."""

    def fail(*members):
        raise ExceptionGroup("unhandled errors in a TaskGroup", members)

    def nested(*members):
        fail(caught(fail, *members))

    groups = [
        caught(fail, caught(ship, 1)),
        caught(fail, caught(bill, 1)),
        caught(fail, caught(ship, 1), caught(bill, 1)),
        caught(nested, caught(ship, 1)),
        caught(nested, caught(bill, 1)),
    ]

    assert len({kind_of(record_of("x", error=group)) for group in groups}) == 5
    assert kind_of(record_of("x", error=groups[0])) == kind_of(record_of("x", error=caught(fail, caught(ship, 2))))


def test_only_the_first_members_of_a_large_group_count():
    """The further ones are ignored."""
    crowds = [ExceptionGroup("a crowd", [ValueError(number) for number in range(10_000 + more)]) for more in (0, 1)]

    assert kind_of(record_of("x", error=crowds[0])) == kind_of(record_of("x", error=crowds[1]))


def test_causes_change_the_kind():
    def because(cause):
        raise RuntimeError("failed") from cause

    full, broken = (caught(because, OSError(number, text)) for number, text in ((28, "No space"), (5, "I/O error")))

    assert kind_of(record_of("x", error=full)) != kind_of(record_of("x", error=broken))


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text today")


def test_an_exception_without_a_text_has_a_kind():
    assert kind_of(record_of("x", error=Unprintable())) == kind_of(record_of("y", error=Unprintable()))


def test_a_record_that_cannot_be_formatted_has_a_kind():
    assert kind_of(record_of("%d", "one")) == kind_of(record_of("%d", "two"))


def test_a_cycle_of_causes_ends():
    first, second = KeyError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first

    assert kind_of(record_of("x", error=first)) == kind_of(record_of("x", error=first))


def test_a_traceback_as_deep_as_python_allows_has_a_kind():
    def dive():
        dive()

    assert kind_of(record_of("x", error=caught(dive))) == kind_of(record_of("x", error=caught(dive)))


def test_exception_text_from_another_process_changes_the_kind():
    """As after a QueueHandler, which keeps only the text."""
    first, second = record_of("failed"), record_of("failed")
    first.exc_text, second.exc_text = "Traceback\nKeyError: 'a'", "Traceback\nTypeError: None"

    assert kind_of(first) != kind_of(second)


def test_exc_info_without_an_exception_is_ignored():
    record = record_of("x")
    record.exc_info = sys.exc_info()

    assert kind_of(record) == kind_of(record_of("x"))


def test_a_short_text_is_unchanged():
    assert shorten("x" * (HEAD + TAIL)) == "x" * (HEAD + TAIL)


def test_an_overlong_text_keeps_head_and_tail():
    """The exception is at the end."""
    text = "\nMessage type: ERROR\n" + "x" * 1_000_000 + "\nKeyError: 17"

    short = shorten(text)

    assert short.startswith("\nMessage type: ERROR\n")
    assert short.endswith("\nKeyError: 17")
    assert f"\n[... error-mail-relay: {len(text) - HEAD - TAIL} characters left out ...]\n" in short
    assert len(short) < HEAD + TAIL + 100
