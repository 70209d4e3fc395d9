"""Secrets are masked everywhere in a report, names from code stay, and grouping does not change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from relay.redact import MASK, redact
from relay.redact.repeats import COMMON_WORDS


def masked(text, subject="x"):
    report = redact(parse_text(subject, text))
    return f"{report.message}\n{report.trace}".strip()


SECRET = "kX9-vq27Lm"


@pytest.mark.parametrize(
    "text",
    [
        "login failed: password={}",
        "login failed: password = {}",
        "DB_PASSWORD={}",
        "passwd: {}",
        "passphrase='{}'",
        "user=ada pass={} host=x",
        "{{'password': '{}', 'user': 'ada'}}",
        '{{"token": "{}"}}',
        '{{"client_secret" : "{}"}}',
        "GET /login?api_key={}&page=2",
        "X-Api-Key: {}",
        "AWS_SECRET_ACCESS_KEY={}",
        "AccountKey={};EndpointSuffix=x",
        "private_key={}",
        "Authorization: Bearer {}",
        "Authorization: Basic {}",
        "headers {{'Authorization': 'Token {}'}}",
        "Cookie: theme=dark; sid={}",
        "Set-Cookie: sessionid={}; Path=/; HttpOnly",
        "sessionid={}",
        "csrfmiddlewaretoken={}",
        "X-CSRFToken: {}",
        "postgresql://shop:{}@db.example.org/shop",
        "redis://:{}@cache:6379/0",
        "credentials => '{}'",
        "password=b'{}'",
        "PASSWORD1={}",
        "token:{}",
    ],
)
def test_values_behind_secret_names_are_masked(text):
    report = masked(text.format(SECRET))

    assert SECRET not in report
    assert MASK in report
    assert report == report.strip()


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2c3" * 8,
        "glpat-" + "x9Y8" * 6,
        "xoxb-" + "1234567890-abcdef",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "AIza" + "b3" * 17 + "c",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
    ],
)
def test_secrets_are_recognised_by_their_format(secret):
    assert masked(f"rejected {secret}, try again") == f"rejected {MASK}, try again"


def test_a_pem_block_is_masked_even_if_it_is_cut_off():
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGl\nabc=\n-----END EC PRIVATE KEY-----"

    assert masked(f"bad key {key}!") == f"bad key -----BEGIN EC PRIVATE KEY-----{MASK}-----END EC PRIVATE KEY-----!"
    assert "MHcCAQ" not in masked(f"bad key {key[:50]}")


@pytest.mark.parametrize(
    "text",
    [
        "author: Ada Lovelace, authority=high",
        "invalid token: expected a number",
        "unexpected token '}' in JSON",
        "password=None, token=null, secret=''",
        "PASSWORD = '********'",
        "tokens=512, max_tokens: 2048, token_type=bearer",
        "PWD=/srv/shop",
        "order 4111111111111112 of 1700000000000",
        "the password is wrong",
        "https://example.org/a:b@c",
        "session of ada has ended",
    ],
)
def test_text_without_a_secret_is_unchanged(text):
    assert masked(text) == text


def test_a_value_masked_once_is_masked_everywhere_in_the_report():
    report = redact(parse_text(f"login of {SECRET}", f"password={SECRET}\n\ncannot connect with {SECRET}x"))

    assert report.subject == f"login of {MASK}"
    assert report.text == f"password={MASK}\n\ncannot connect with {MASK}x"


def test_a_short_or_common_value_is_not_masked_inside_other_words():
    assert masked("password=abc, abcdef") == f"password={MASK}, abcdef"
    assert masked("password=orders and reorders of orders") == f"password={MASK} and reorders of {MASK}"


TRACE = """Traceback (most recent call last):
  File "/srv/shop/current/shop/checkout.py", line 5, in checkout
    login(user, password=password, token=request.form["token"], secret=get_secret())
  File "/srv/shop/current/shop/login.py", line 9, in login
    connect("kX9-vq27Lm", password='kX9-vq27Lm')
ValueError: cannot log in with kX9-vq27Lm"""


def test_in_source_lines_only_literals_are_masked():
    report = masked(TRACE)

    assert 'login(user, password=password, token=request.form["token"], secret=get_secret())' in report
    assert f"connect(\"{MASK}\", password='{MASK}')" in report
    assert SECRET not in report


def test_names_from_code_stay_when_a_password_is_equal():
    """Otherwise a user's choice of password could change the error that a mail is counted under."""
    labels = "Message type: ERROR\nLocation: /srv/shop/checkout.py:5\nFunction: checkout\n"
    text = f"{labels}\nMessage:\n\npassword=checkout\n{TRACE}"

    report = redact(parse_text("x", text))

    assert 'checkout.py", line 5, in checkout' in report.trace
    assert (report.location, report.function) == ("/srv/shop/checkout.py:5", "checkout")


def test_an_exception_type_stays_when_a_password_is_equal():
    report = redact(parse_text("x", f"password=ValueError\n{TRACE} and ValueError"))

    assert report.trace.endswith("\nValueError: cannot log in with kX9-vq27Lm and [masked]".replace(SECRET, MASK))


def test_a_secret_in_the_app_name_is_masked():
    assert redact(parse_text("password=abcdefgh", "x")).app == f"password={MASK}"


def test_a_report_without_secrets_is_the_same_object():
    report = parse_text("x", "It broke.")

    assert redact(report) is report


# --- Grouping ---------------------------------------------------------------------------------------------------------


def key(text):
    return fingerprint(redact(parse_text("x", text))).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("login failed: password=kX9-vq27Lm", "login failed: password=other"),
        ("card 4111 1111 1111 1111 declined", "card 4111 1111 1111 1112 declined"),
        ("token ghp_" + "a1B2" * 9 + " is bad", "token 17 is bad"),
        ("https://ada:pw@example.org/x is down", "https://example.org/x is down"),
        ("got {'token': 'abcdef', 'n': 1}", "got {'n': 1}"),
        (TRACE, TRACE.replace("kX9-vq27Lm", "an0ther-0ne")),
        ("Authorization: Bearer abc.def.123456", "Authorization: Bearer 9876.fedcba"),
    ],
)
def test_masking_does_not_change_the_group(one, other):
    assert key(one) == key(other)


def is_a_password(text):
    """Not a common word, a ruler or a number: those are masked as a value, but not searched for elsewhere."""
    return text.lower() not in COMMON_WORDS and any(char.isalnum() for char in text) and not text.isdigit()


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\`,;&<>()[]{}"),
        min_size=6,
        max_size=40,
    ).filter(is_a_password)
)
def test_any_password_is_masked_and_does_not_change_the_group(password):
    def mail(secret):
        return TRACE.replace("kX9-vq27Lm", secret) + f"\n\nform: {{'password': '{secret}'}}"

    report = redact(parse_text("x", mail(password)))

    assert f"'{password}'" not in report.message + report.trace
    assert key(mail(password)) == key(mail("kX9-vq27Lm"))


# --- Any text ---------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.text(max_size=50))
def test_redacting_any_text_twice_changes_nothing_more(text, subject):
    once = redact(parse_text(subject, text))

    assert redact(once) == once


UNITS = """token token= token=( token=' eyJ eyJaaaaaaaa. -eyJ ://a:b@ :// 4 4- AKIA sk- 'secret' \u0130token="""
SPACED = (
    "token: a b ",
    "password=a ",
    "cookie: a=",
    "authorization: ",
    "-----BEGIN ",
    "-----BEGIN A-----",
    "4111 ",
    "Bearer a1",
)


@pytest.mark.parametrize("unit", [*UNITS.split(), *SPACED])
def test_redacting_a_repeated_megabyte_ends(unit):
    text = unit * (1_000_000 // len(unit))

    assert len(redact(parse_text("x", text)).message) <= len(text) + len(text) // len(unit) * len(MASK)


@pytest.mark.parametrize("release", ["20260917114502", "4111111111111111"])
def test_a_release_folder_that_looks_like_a_payment_card_stays(release):
    """One timestamp in ten has a valid check digit, and a masked folder would change the fingerprint."""
    trace = f'Traceback (most recent call last):\n  File "/srv/{release}/cart.py", line 5, in total\nValueError: '

    assert redact(parse_text("x", trace + "7")).trace == trace + "7"
    assert redact(parse_text("x", trace + "card\nat 4111 1111 1111 1111")).trace == trace + f"card\nat {MASK}"
    assert redact(parse_text("x", trace + "card 4111 1111 1111 1111")).trace == trace + f"card {MASK}"
