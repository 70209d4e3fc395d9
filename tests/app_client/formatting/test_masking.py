"""Masking by name: in extra fields, arguments and URLs, before a record is mailed or written."""

import logging

import pytest

from app_client import FileFormatter, MailFormatter
from app_client.formatting.masking import MASK, is_secret, mask_text, masked


def record(message: str = "no stock", *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("yourapplication", logging.ERROR, "/app/views.py", 42, message, arguments, None)
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "PASSWD", "db_pwd", "passphrase", "token", "accessToken", "csrfmiddlewaretoken",
        "secret", "SECRET_KEY", "Cookie", "Set-Cookie", "Authorization", "Proxy-Authorization", "session",
        "user_session",
        "session_id", "PHPSESSID", "csrf", "x-csrf", "xsrf", "api key", "api_key", "X-Api-Key", "apikey", "private key",
        "privateKey", "credentials", "otp", "jwt", "auth",
    ],
)  # fmt: skip
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "author",
        "authors",
        "authority",
        "passenger",
        "compass",
        "sessions_open",
        "keyboard",
        "monkey",
        "side",
        "optional",
    ],
)
def test_other_names_are_not_secret(name):
    assert not is_secret(name)


@pytest.mark.parametrize("formatter", [MailFormatter, FileFormatter])
def test_extra_fields_under_secret_names_are_masked_in_a_text(formatter):
    fmt = "%(message)s %(password)s %(author)s %(context)s"
    context = {"user": "anna", "login": [{"api_key": "hunter2", "session": "hunter2"}]}
    text = formatter(fmt).format(record(password="hunter2", author="ben", context=context))

    assert text == "no stock [masked] ben {'user': 'anna', 'login': [{'api_key': '[masked]', 'session': '[masked]'}]}"
    assert context["login"] == [{"api_key": "hunter2", "session": "hunter2"}], "the app's own object is left alone"


def test_named_arguments_under_secret_names_are_masked():
    text = MailFormatter("%(message)s").format(record("%(user)s gave %(password)s", {"user": "anna", "password": "x1"}))

    assert text == "anna gave [masked]"


@pytest.mark.parametrize("conversion", ["d", "5d", "x", "f", "s", "r"])
def test_a_masked_number_can_still_be_formatted(conversion):
    text = MailFormatter("%(message)s").format(record(f"pin is %(otp){conversion}", {"otp": 735_211}))

    assert text.startswith("pin is ")
    assert "735" not in text
    assert f"{735_211:x}" not in text


def test_masking_does_not_change_the_record():
    same = record("%(token)s", {"token": "hunter2"}, password="hunter2")
    MailFormatter("%(message)s %(password)s").format(same)

    assert (same.getMessage(), vars(same)["password"]) == ("hunter2", "hunter2")


def test_extra_fields_outside_the_format_are_not_searched():
    """The values of `extra=` may be large."""

    class Watched(dict):
        def items(self):
            raise AssertionError("looked through")

    assert MailFormatter("%(message)s").format(record(context=Watched(a=1))) == "no stock"


def test_search_depth_is_bounded():
    ring: dict[str, object] = {}
    ring["ring"] = ring

    assert masked("", ring)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("login with password=hunter2, user=anna", "login with password=[masked], user=anna"),
        ("{'token': 'hunter2', 'author': 'anna'}", "{'token': [masked], 'author': 'anna'}"),
        ("Cookie: a=b", "Cookie: [masked]"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer [masked]"),
        ("invalid token: expected a number", "invalid token: expected a number"),
        ("author=anna", "author=anna"),
    ],
)
def test_values_assigned_to_secret_names_in_a_text_are_masked(text, expected):
    assert mask_text(text) == expected


def test_a_mask_is_a_text():
    assert MASK == "[masked]"
    assert f"{MASK}" == "[masked]"
