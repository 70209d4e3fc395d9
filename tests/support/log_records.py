"""Sample log records for the tests of formatters: an error of a shop, its request facts, a forged line."""

import logging

import app_client


def record(**changes) -> logging.LogRecord:
    made = logging.LogRecord(
        "yourapplication", logging.ERROR, "/app/views.py", 42, "no %s", ("stock",), None, "checkout"
    )
    made.__dict__.update(changes)
    return made


FACTS = app_client.RequestFacts(
    method="GET",
    url="https://shop.example/orders?customer=anna&token=s3cret",
    endpoint="orders",
    remote_addr="203.0.113.7",
    user_agent="curl/8",
    request_id="r-17",
    user_id="42",
)
FORGERY = "no\n2024-05-01 12:00:00,000 CRITICAL: forged\r\x1b[1A\u2028forged too\u202e"


def raised(error: BaseException):
    try:
        raise error  # noqa: TRY301 - creates a traceback
    except BaseException as caught:  # noqa: BLE001 - raised by the test
        return type(caught), caught, caught.__traceback__
