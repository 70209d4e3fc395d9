"""The advice on each error reply of a token endpoint."""

from __future__ import annotations

import pytest

from relay.model import Failure
from relay.outbox.advice import advice_on_failure
from relay.outbox.token_advice import FALLBACK, token_advice
from tests.support.paths import DATA

LINES = (DATA / "token_failures.tsv").read_text("utf-8").splitlines()
REPLIES = [tuple(line.split("\t")) for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize(("provider", "status", "error", "description", "words"), REPLIES)
def test_error_reply_of_a_provider_has_its_own_advice(provider, status, error, description, words):
    text = ": ".join(filter(None, [f"{status} {error}", description]))
    detail = f"smtp.example.com:587: no access token from login.example.com: {text}"

    advice = advice_on_failure(Failure.TOKEN, detail)

    assert words in advice
    assert advice != FALLBACK


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("nobody has logged in as relay@example.com yet", "relay login"),
        ("token_command ended with exit code 3", "by hand"),
        ("token_file cannot be read: No such file or directory", "program that writes"),
        ("libraries are missing", "the extra"),
        ("no access token from x: cannot connect: Connection refused", "firewall"),
        ("no access token from x: no reply within 5 s", "firewall"),
        ("no access token from x: its certificate was not accepted: certificate has expired", "clock"),
        ("no access token from x: its certificate was not accepted: self-signed certificate", "ca_file"),
        ("something new", "docs/providers.md"),
    ],
)
def test_failure_on_this_side_has_its_own_advice(detail, words):
    assert words in token_advice(detail)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("535 5.7.3 Authentication unsuccessful", "New-ServicePrincipal"),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            "Authenticated",
        ),
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", "[upstream.oauth2]"),
    ],
)
def test_refusal_of_a_token_by_the_mail_server_has_its_own_advice(reply, words):
    detail = f"smtp.office365.com:587: it refused the credentials (XOAUTH2): {reply}"

    assert words in advice_on_failure(Failure.AUTH, detail)


def test_server_that_offers_only_token_logins_asks_for_oauth2():
    detail = "x:587: it offers XOAUTH2 OAUTHBEARER; the relay supports CRAM-MD5, PLAIN and LOGIN"

    assert "set [upstream.oauth2]" in advice_on_failure(Failure.AUTH, detail)
    assert "[upstream.oauth2]" not in advice_on_failure(Failure.AUTH, detail.replace("XOAUTH2 OAUTHBEARER", "GSSAPI"))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("534 5.7.9 Application-specific password required.", "app password"),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "[upstream.oauth2]"),
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", "[upstream.oauth2]"),
    ],
)
def test_refusal_of_a_password_says_what_replaces_it(reply, words):
    detail = f"smtp.office365.com:587: it refused the credentials (LOGIN): {reply}"

    assert words in advice_on_failure(Failure.AUTH, detail)
