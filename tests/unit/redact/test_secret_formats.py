"""Every notation in which programs write secrets, and similar texts without a secret (tests/data/redact)."""

import dataclasses
import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.config import make_settings
from relay.grouping.fingerprint import fingerprint
from relay.model import Report
from relay.parse.report import parse, parse_text
from relay.redact import MASK, Redactor, redact
from relay.redact.custom import MAX_MATCHES
from relay.redact.keywords import MAX_LABELS
from tests.support.mails import raw, record
from tests.support.redaction import PLAIN, SECRETS

ONE, OTHER = "kX9-vq27Lm", "Zr4_88tbQmPq21"


def stored_text(report: Report) -> str:
    """All that the ledger stores of a report."""
    return json.dumps(dataclasses.asdict(report), default=str, ensure_ascii=False)


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_masked_in_every_notation(text):
    report = stored_text(redact(parse_text("x", "It broke.\n" + text.replace("{}", ONE))))

    assert ONE not in report
    assert MASK in report
    assert "It broke." in report


PREAMBLE = "Hi,\n\nthis is the nightly report of the shop.\n\n"
RECORDS = "2026-01-02 03:04:05,678 INFO shop.login: {}\n2026-01-02 03:04:06,100 ERROR shop.cart: payment failed\n"


@pytest.mark.parametrize(
    "around", [f"{PREAMBLE}It broke.\n{{}}", f"{RECORDS}{{}}", f"{PREAMBLE}{{}}\nERROR: payment failed\n"]
)
@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_masked_in_the_statement_and_in_the_text_around_it(text, around):
    """The message is a part of the text then, and what makes the value a secret can stand in another part."""
    report = stored_text(redact(parse_text("x", around.replace("{}", text.replace("{}", ONE)))))

    assert ONE not in report
    assert MASK in report


@pytest.mark.parametrize("field", ["headline", "reason", "text", "former_app"])
def test_a_secret_is_masked_in_each_field_of_the_document(field):
    changed: dict[str, Any] = {field: f"login with {ONE} failed"}
    report = dataclasses.replace(parse_text("x", f"password={ONE}"), **changed)

    assert getattr(redact(report), field) == f"login with {MASK} failed"


def test_a_secret_is_masked_in_the_names_of_what_failed():
    report = dataclasses.replace(parse_text("x", "down"), names=(("service", f"password={ONE}"), ("token", OTHER)))

    assert redact(report).names == (("service", f"password={MASK}"), ("token", MASK))


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_a_secret_is_unchanged(text):
    report = parse_text("x", text)

    assert redact(report) == report


TOKENS = {
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
    "JWE": "eyJhbGciOiJkaXIifQ..ab12ab12ab12.cd34cd34cd34.ef56ef56".replace("..", ".aaaabbbb."),
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "AWS, temporary": "ASIA" + "IOSFODNN7EXAMPLE",
    "Google": "AIza" + "b3" * 17 + "c",
    "Google, OAuth": "ya29." + "a0Ab_9" * 6,
    "Google, client": "GOCSPX-" + "a1B2c3d4" * 3 + "e5F6",
    "Azure": "abc8Q~" + "dE3_fG4-" * 4,
    "GitHub": "ghp_" + "a1B2" * 9,
    "GitHub, app": "ghs_" + "a1B2" * 9,
    "GitHub, fine-grained": "github_pat_" + "a1B2c3" * 8,
    "GitLab": "glpat-" + "x9Y8" * 6,
    "GitLab, runner": "glrt-" + "x9Y8" * 6,
    "Atlassian": "ATATT3" + "xFfGF0a1" * 8,
    "Slack": "xoxb-" + "1234567890-abcdef",
    "Slack, app": "xapp-" + "1-A0B1-1234567890-abcdef",
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe, restricted": "rk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe, webhook": "whsec_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "npm": "npm_" + "a1B2" * 9,
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" * 4,
    "RubyGems": "rubygems_" + "0a" * 24,
    "Docker": "dckr_pat_" + "a1B2c3d4" * 3,
    "SendGrid": "SG." + "a1B2c3d4" * 2 + "." + "e5F6g7H8" * 4,
    "Mailgun": "key-" + "0a1b2c3d" * 4,
    "Mailchimp": "0a1b2c3d" * 4 + "-us12",
    "Twilio": "SK" + "0a1b2c3d" * 4,
    "OpenAI": "sk-proj-" + "a1B2c3d4" * 5,
    "Anthropic": "sk-ant-api03-" + "a1B2c3d4" * 5,
    "Hugging Face": "hf_" + "aBcDeFgH" * 4 + "ij",
    "Groq": "gsk_" + "a1B2c3d4" * 6,
    "DigitalOcean": "dop_v1_" + "0a1b2c3d" * 8,
    "Shopify": "shpat_" + "0a1b2c3d" * 4,
    "Square": "sq0atp-" + "a1B2c3d4" * 3,
    "Vault": "hvs." + "CAESIa1B2" * 4,
    "Databricks": "dapi" + "0a1b2c3d" * 4,
    "Grafana": "glsa_" + "a1B2c3d4" * 4 + "_0a1b2c3d",
    "Sentry": "sntrys_" + "eyJpYXQiOjE3" * 4,
    "New Relic": "NRAK-" + "A1B2C3D4E5F6G7H8I9J0K1L2M3N",
    "Telegram": "1234567890:AA" + "a1B2c3d4" * 4 + "e",
    "age": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0" * 3,
    "Slack, of a browser": "xoxd-" + "a1B2c3d4%2F" * 4,
    "Slack, refreshed": "xoxe.xoxp-1-" + "a1B2c3d4" * 5,
    "Stripe, organization": "sk_org_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "GitLab, old runner": "GR1348941" + "x9Y8" * 5,
    "Google, refreshed": "1//0" + "a0Ab_9-x" * 7,
    "Heroku": "HRKU-" + "01234567-89ab-cdef-0123-456789abcdef",
    "Doppler": "dp.pt." + "a1B2c3d4e5F" * 3 + "g6H7i8J",
    "Dynatrace": "dt0c01." + "A1B2C3D4" * 3 + "." + "E5F6G7H8" * 8,
    "Fly.io": "fm2_" + "lJPECAAA" * 9 + "==",
    "PlanetScale": "pscale_pw_" + "a1B2c3d4" * 5,
    "Cloudflare": "v1.0-" + "0a1b2c3d" * 3 + "-" + "0a" * 73,
    "1Password": "ops_eyJ" + "zaWduSW5BZGRy" * 10,
    "Pulumi": "pul-" + "0a1b2c3d" * 5,
    "Notion": "ntn_" + "a1B2c3d4e5" * 4 + "f6G7h8",
    "Figma": "figd_" + "a1B2c3d4" * 5,
    "Supabase": "sbp_" + "0a1b2c3d" * 5,
    "Razorpay": "rzp_live_" + "a1B2c3d4e5F6g7",
    "Brevo": "xkeysib-" + "0a1b2c3d" * 8 + "-a1B2c3d4e5F6g7H8",
    "MailerSend": "mlsn." + "0a1b2c3d" * 8,
    "HubSpot": "pat-na1-" + "01234567-89ab-cdef-0123-456789abcdef",
    "SonarQube": "sqp_" + "0a1b2c3d" * 5,
    "JFrog": "AKCp" + "a1B2c3d4" * 8,
    "Contentful": "CFPAT-" + "a1B2c3d4" * 5 + "e5F",
    "Alibaba": "LTAI" + "a1B2c3d4" * 2 + "e5F6",
    "Clojars": "CLOJARS_" + "0a1b2c" * 10,
    "Tailscale": "tskey-auth-" + "k1a2CNTRL-" + "a1B2c3d4" * 3,
    "Netlify": "nfp_" + "a1B2c3d4" * 4 + "e5F6",
    "Terraform": "a1B2c3d4e5F6g7" + ".atlasv1." + "a1B2c3d4" * 8 + "e5F",
    "Buildkite": "bkua_" + "0a1b2c3d" * 5,
    "Flask's session": ".eJwNy0EKgCAQ_abcdefghij-klm" + ".ZxYzAA." + "a1B2c3d4-_" * 3,
    "Django's signature": "eyJ1c2VyIjoxfQ:1tABCd:" + "a1B2c3d4-_" * 4 + "abc",
    "Fernet": "gAAAAAB" + "a1B2c3d4-_" * 9 + "==",
    "bcrypt": "$2b$12$" + "a1B2c3d4./e" * 4 + "f5G6h7I8j",
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$" + "c29tZXNhbHQ$" + "a1B2c3d4+/" * 4,
    "hash of Django": "pbkdf2_sha256$600000$" + "a1B2c3d4e5F6$" + "a1B2c3d4+/" * 4 + "abc=",
    "hash of Werkzeug": "scrypt:32768:8:1$" + "a1B2c3d4e5F6g7H8$" + "0a1b2c3d" * 16,
    "card": "4111 1111 1111 1111",
    "card with dashes": "5555-5555-5555-4444",
    "card of 15 digits": "378282246310005",
}


@pytest.mark.parametrize("secret", TOKENS.values(), ids=TOKENS)
def test_a_secret_is_recognised_by_its_format(secret):
    report = redact(parse_text(f"about {secret}", f"rejected {secret}, try again"))

    assert (report.subject, report.message) == (f"about {MASK}", f"rejected {MASK}, try again")


@pytest.mark.parametrize(
    "text",
    [
        '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END PRIVATE KEY-----\\n", "n": 17}',
        '{"pem": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\nAAAA", "n": 17}',
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nMIIEvQIBADANBg",
    ],
)
def test_a_pem_block_is_masked_if_complete_cut_off_or_in_a_string(text):
    report = redact(parse_text("x", text))

    assert "MIIE" not in report.message
    assert ('"n": 17' in text) == ('"n": 17' in report.message)


# --- Everywhere in the mail -------------------------------------------------------------------------------------------


def test_a_value_masked_once_is_masked_in_every_field_of_the_report():
    """In names of hosts and loggers only distinctive values are masked. Names from code stay."""
    names = ("host", "logger", "release", "environment", "process", "thread", "template")
    fields: dict[str, Any] = dict.fromkeys(names, f"a {ONE}")
    fields["request"] = (("Request", f"GET /{ONE}"),)
    report = dataclasses.replace(parse_text(f"login with {ONE}", f"password={ONE}"), **fields)

    assert ONE not in stored_text(redact(report))


@pytest.mark.parametrize("field", ["host", "logger", "release", "environment", "process"])
def test_a_secret_in_a_name_field_is_masked(field):
    changed: dict[str, Any] = {field: f"password={ONE}"}
    report = dataclasses.replace(parse_text("x", "It broke."), **changed)

    assert getattr(redact(report), field) == f"password={MASK}"


def test_a_logger_keeps_its_name_when_a_password_is_equal():
    report = dataclasses.replace(parse_text("x", "password=checkout"), logger="checkout")

    assert redact(report).logger == "checkout"


@pytest.mark.parametrize("value", ["1", "abc", "root", "none", "test", "12345", "****", "======", "True"])
def test_a_value_that_is_a_common_word_is_not_searched_for_elsewhere(value):
    text = f"password='{value}'\nfound {value} of {value} in shop"

    assert redact(parse_text("x", text)).message.endswith(f"found {value} of {value} in shop")


@pytest.mark.parametrize(
    ("written", "elsewhere"),
    [
        ("password='a b&c/d7'", "GET /?x=a%20b%26c%2Fd7"),
        ("password=a%20b%26c%2Fd7", "it is a b&c/d7"),
        ('{"password": "a\\"b<c>d7"}', 'it is a"b<c>d7'),
        ("Authorization: Basic YWRhOmh1bnRlcjI=", "it is hunter2"),
        ("postgresql://ada:hunter2x@db/shop", "it is hunter2x"),
        ("Cookie: a=1; sid=hunter2x77", "session hunter2x77"),
    ],
)
def test_a_value_is_found_elsewhere_in_any_encoding(written, elsewhere):
    message = redact(parse_text("x", f"{written}\n{elsewhere}")).message

    assert message.rpartition("\n")[2].replace(MASK, "") in ("it is ", "GET /?x=", "session ")


def test_secrets_of_the_text_are_masked_in_the_json_part_and_the_other_way_round():
    content = {"version": 1, "host": f"web-{ONE}", "release": f"token={OTHER}", "thread": OTHER}
    part = b"Content-Type: application/vnd.error-mail+json\r\n\r\n" + json.dumps(content).encode()
    text = f"Content-Type: text/plain\r\n\r\npassword={ONE}, {OTHER}".encode()
    body = b"".join(b"--b\r\n" + each + b"\r\n" for each in (text, part)) + b"--b--\r\n"
    head = b"X-Error-Mail-Client: 1\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"

    report = redact(parse(record(raw(head.decode(), body)), ()))

    assert report.host == f"web-{MASK}"
    assert ONE not in stored_text(report)
    assert OTHER not in stored_text(report)


SECRET_TEXTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_~!-]{8,38}[A-Za-z0-9]", fullmatch=True).filter(
    lambda text: any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(kind for kind in SECRETS if " in it" not in kind)), SECRET_TEXTS)
def test_any_secret_in_any_notation_is_not_stored(kind, secret):
    text = SECRETS[kind].replace("{}", secret)

    report = redact(parse_text(f"about {secret}", f"{text}\n\nrefused: {secret}. again {secret}"))

    assert secret not in stored_text(report)
    assert redact(report) == report


# --- Grouping ---------------------------------------------------------------------------------------------------------


def key(text):
    return fingerprint(redact(parse_text("x", f"checkout failed\n{text}"))).key


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_the_secret_does_not_change_the_fingerprint(text):
    keys = {key(text.replace("{}", secret)) for secret in (ONE, OTHER)}

    assert len(keys) == 1


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_redacting_a_redacted_report_does_not_change_the_fingerprint(text):
    report = redact(parse_text("x", f"checkout failed\n{text.replace('{}', ONE)}"))

    assert fingerprint(redact(report)).key == fingerprint(report).key


# --- The configuration ------------------------------------------------------------------------------------------------


def with_options(tmp_path, text, **options):
    redactor = Redactor(make_settings(tmp_path, redact=options).redact)
    return redactor.redact(parse_text("x", text)).message


def test_configured_names_and_patterns_are_masked(tmp_path):
    text = "iban=DE89370400440532013000, Kunden_Nummer: 4711, customer KD-123456, staff P-77 of KD-1"
    options = {"names": ["iban", "kunden_nummer"], "patterns": [r"\bKD-\d{6}\b", r"staff (P-\d+)", "of (?P<secret>KD)"]}

    message = with_options(tmp_path, text, **options)

    assert message == f"iban={MASK}, Kunden_Nummer: {MASK}, customer {MASK}, staff {MASK} of {MASK}-1"


def test_a_configured_name_matches_at_the_start_of_a_word(tmp_path):
    assert with_options(tmp_path, "spin=left, pin=x7x7, my_pin=x8x8", names=["pin"]) == (
        f"spin=left, pin={MASK}, my_pin={MASK}"
    )


def test_nothing_is_masked_when_disabled(tmp_path):
    assert with_options(tmp_path, f"password={ONE}", enabled=False) == f"password={ONE}"


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)b", "(", "a*", "", "((a{900}){900}){9}", "a" * 1_001])
def test_a_pattern_that_could_hang_or_matches_everything_is_refused(tmp_path, pattern):
    with pytest.raises(ValueError, match=r"redact\.patterns"):
        make_settings(tmp_path, redact={"patterns": [pattern]})


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", "(.*a){20}b", "a(?:.*b)?c"])
def test_a_pattern_that_hangs_backtracking_engines_ends(tmp_path, pattern):
    text = "a" * 200_000 + "!"

    assert with_options(tmp_path, text, patterns=[pattern]) == text


def test_after_too_many_matches_the_rest_is_masked(tmp_path):
    message = with_options(tmp_path, "KD-1 " * (MAX_MATCHES + 5) + "the end", patterns=[r"KD-\d"])

    assert message == f"{MASK} " * MAX_MATCHES + MASK


def test_a_pattern_is_searched_in_text_with_lone_surrogates(tmp_path):
    report = dataclasses.replace(parse_text("x", "KD-1"), message="\ud800 é KD-1")

    assert Redactor(make_settings(tmp_path, redact={"patterns": ["KD-[0-9]"]}).redact).redact(report).message == (
        f"\ud800 é {MASK}"
    )


def test_a_secret_is_never_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        redact(parse_text(ONE, f"password={ONE}"))

    assert ONE not in caplog.text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("passphrase: correct horse battery staple", ""),
        ("ssh_passphrase = correct-horse battery staple clip, user ada", ", user ada"),
        ("wrong passphrase: correct horse battery staple was refused", " was refused"),
    ],
)
def test_a_passphrase_of_bare_words_is_masked_up_to_the_next_word_of_prose(text, rest):
    message = redact(parse_text("x", text)).message

    assert message.endswith(MASK + rest)
    assert not {"correct", "horse", "battery", "staple"} & set(message.replace("-", " ").split())


@pytest.mark.parametrize(
    "end", [").", ").\nIt broke", ").\n\n[SQL: INSERT INTO a VALUES (%s)]", ").\\n')", ")"], ids=range(5)
)
@pytest.mark.parametrize("row", ["7, ada, {}, null", "(a), b), {}, 2026-01-01 00:00:00", '{}, "a, (b"', "7, a\nb, {}"])
def test_a_row_quoted_by_a_database_is_masked_completely(row, end):
    """The error does not name the columns, so any value may be a secret."""
    report = redact(parse_text("x", f"DETAIL:  Failing row contains ({row.replace('{}', ONE)}{end}"))

    assert (report.text or report.message).replace("\n\n", "\n").startswith(f"DETAIL:  Failing row contains ({MASK})")
    assert ONE not in stored_text(report)


@pytest.mark.parametrize("field", ["location", "module", "function", "time"])
def test_a_secret_in_a_field_of_the_documented_format_is_masked(field):
    """A custom formatter may write anything there. A name from code stays, even if it is a secret elsewhere."""
    secret: dict[str, Any] = {field: f"login(password={ONE!r})"}
    code: dict[str, Any] = {field: "/srv/shop/checkout.py9:7"}
    report = parse_text("x", "password=shop/checkout.py9")

    assert ONE not in stored_text(redact(dataclasses.replace(report, **secret)))
    assert getattr(redact(dataclasses.replace(report, **code)), field) == code[field]


def test_after_thousands_of_secrets_the_rest_is_masked():
    """Searching for each of them would exceed the time limit of a mail."""
    message = redact(parse_text("x", "".join(f"password=a{n}b\n" for n in range(MAX_LABELS + 10)) + ONE)).message

    assert message.count(MASK) <= MAX_LABELS + 1
    assert ONE not in message
    assert "a7b" not in message
