"""`relay login`, `relay check` and `relay send-test` with access tokens, against real servers."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import trustme
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from relay import config
from relay.cli import main
from relay.deliver import TokenSource
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.sign_in import REDIRECT, LoginPage, SignIn
from tests.support import upstream as servers
from tests.support.authorization_server import CLIENT, MAILBOX, SECRET, USER_CODE, AuthorizationServer
from tests.support.processes import toml

ADMIN = "admin@example.org"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def pem(key: rsa.RSAPrivateKey) -> str:
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*formats).decode()


@pytest.fixture
def authorization(key: rsa.RSAPrivateKey) -> Iterator[AuthorizationServer]:
    formats = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = RSAKey.import_key(key.public_key().public_bytes(*formats).decode())
    with AuthorizationServer(public_key=public) as server:
        server.interval = 0.01
        yield server


@pytest.fixture
def mail_server(tmp_path: Path, authorization: AuthorizationServer) -> Iterator[servers.Upstream]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    with servers.Upstream(security="starttls", certificate=certificate, tokens=authorization.accepts) as server:
        yield server


@pytest.fixture
def write(tmp_path: Path, mail_server: servers.Upstream) -> Callable[..., Path]:
    """Return a function that writes `relay.toml` with these settings of `[upstream.oauth2]`."""

    def write(**oauth2: Any) -> Path:
        upstream = {
            "host": mail_server.host,
            "port": mail_server.port,
            "username": MAILBOX,
            "ca_file": tmp_path / "ca.pem",
            "timeout": "5s",
            "ehlo_name": "relay.example.com",
            "oauth2": oauth2,
        }
        tables = {"admins": [ADMIN], "storage": {"data_dir": tmp_path / "data"}, "upstream": upstream}
        file = tmp_path / "relay.toml"
        file.write_text("".join(f"{name} = {toml(value)}\n" for name, value in tables.items()))
        return file

    return write


def run(*command: str, config: Path) -> Result:
    return CliRunner().invoke(main, [*command, "--config", str(config)], catch_exceptions=False)


def device(authorization: AuthorizationServer, **more: Any) -> dict[str, Any]:
    return authorization.tables(grant="device_code", device_endpoint=f"{authorization.base}/devicecode", **more)


# --- The login by a person --------------------------------------------------------------------------------------------


def test_login_with_a_device_code_lets_the_relay_send(write, authorization, mail_server, tmp_path) -> None:
    file = write(**device(authorization))
    assert "nobody has logged in as relay@example.com yet: run `relay login`" in run("check", config=file).stderr
    assert "relay login" in run("send-test", config=file).stderr
    authorization.approved.set()

    done = run("login", config=file)

    assert done.exit_code == 0, done.output
    assert f"Open {authorization.base}/device in a browser, log in as {MAILBOX}" in done.output
    assert USER_CODE in done.output
    assert "nobody has logged in" not in run("check", config=file).output
    assert run("send-test", config=file).exit_code == 0
    assert [mail.user for mail in mail_server.mails] == [MAILBOX]
    stored = list((tmp_path / "data" / "oauth2").iterdir())
    assert {each.stat().st_mode & 0o777 for each in stored} == {0o600}
    assert [secret for secret in [SECRET, *authorization.issued] if secret in done.output] == []


def test_login_waits_until_the_person_has_logged_in(write, authorization, tmp_path) -> None:
    file = write(**device(authorization))
    settings = config.load(file).settings.upstream
    asked: list[float] = []

    async def pause(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 2:
            authorization.say({"error": "slow_down"}, status=400)
        if len(asked) == 4:
            authorization.approved.set()

    sign_in = SignIn(settings, TokenSource(settings, tmp_path / "tokens"))
    asyncio.run(sign_in.with_device_code(lambda _: None, pause=pause))

    assert asked == [0.01, 0.01, 5.01, 5.01]


def test_code_that_nobody_uses_expires(write, authorization, tmp_path) -> None:
    settings = config.load(write(**device(authorization))).settings.upstream
    waited: list[float] = []
    authorization.interval = 60

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    sign_in = SignIn(settings, TokenSource(settings, tmp_path / "tokens"))
    with pytest.raises(TokenFailed, match="the code has expired"):
        asyncio.run(sign_in.with_device_code(lambda _: None, pause=pause))

    assert sum(waited) == 900


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Stop at the redirect, as a browser does that cannot open the page."""


def browser(url: str) -> str:
    """Open a login page, and return the address of the last page."""
    opener = urllib.request.build_opener(_NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as answer:
        opener.open(url)
    answer.value.close()
    return str(answer.value.headers["Location"])


def pasted(authorization: AuthorizationServer, **more: Any) -> dict[str, Any]:
    page = f"{authorization.base}/authorize"
    return authorization.tables(grant="authorization_code", authorization_endpoint=page, **more)


def test_login_with_the_address_of_the_last_page_lets_the_relay_send(
    write, authorization, mail_server, monkeypatch
) -> None:
    file = write(**pasted(authorization))
    pages: list[LoginPage] = []
    create = SignIn.page

    def noted(self: SignIn) -> LoginPage:
        pages.append(create(self))
        return pages[-1]

    monkeypatch.setattr(SignIn, "page", noted)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: browser(pages[-1].url))

    done = run("login", config=file)

    assert done.exit_code == 0, done.output
    assert pages[0].url in done.output
    assert run("send-test", config=file).exit_code == 0
    assert authorization.granted == ["authorization_code"]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("https://example.com/", f"it begins with {REDIRECT}?"),
        (f"{REDIRECT}?code=x&state=other", "belongs to another login"),
        (f"{REDIRECT}?error=access_denied", "the login was refused: access_denied"),
    ],
)
def test_wrong_address_of_the_last_page_is_refused(answer, shown, write, authorization, monkeypatch) -> None:
    monkeypatch.setattr(click, "prompt", lambda *_, **__: answer)

    done = run("login", config=write(**pasted(authorization)))

    assert (done.exit_code, shown in done.stderr) == (1, True), done.stderr
    assert authorization.requests == []


def test_login_without_a_refresh_token_names_the_scope(write, authorization) -> None:
    authorization.approved.set()
    authorization.say({"access_token": "x", "token_type": "Bearer"})

    done = run("login", config=write(**device(authorization)))

    assert done.exit_code == 1
    assert "add offline_access to [upstream.oauth2] scope" in done.stderr


def test_login_says_that_it_is_not_needed_with_a_password(tmp_path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('admins = ["a@acme.test"]\n[upstream]\nhost = "localhost"\nusername = "x"\npassword = "y"\n')

    done = run("login", config=file)

    assert (done.exit_code, "[upstream.oauth2] is not set" in done.stderr) == (2, True)


def test_login_of_an_application_asks_for_a_token(write, authorization) -> None:
    done = run("login", config=write(**authorization.tables()))

    assert done.exit_code == 0
    assert "With client_credentials no person has to log in." in done.output
    assert authorization.granted == ["client_credentials"]

    authorization.say({"error": "invalid_client"}, status=401)
    failed = run("login", config=write(**authorization.tables()))

    assert failed.exit_code == 1
    assert "401 invalid_client; check client_id and client_secret_file" in failed.stderr


# --- Applications -----------------------------------------------------------------------------------------------------


def certificate(key: rsa.RSAPrivateKey, file: Path) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = builder.sign(key, hashes.SHA256())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made


def test_microsoft_application_logs_in_with_its_certificate(write, authorization, key, pem, tmp_path) -> None:
    made = certificate(key, tmp_path / "certificate.pem")
    (tmp_path / "key.pem").write_text(pem)
    oauth2 = {
        "provider": "microsoft",
        "tenant": "acme.test",
        "client_id": CLIENT,
        "certificate": tmp_path / "certificate.pem",
        "private_key_file": tmp_path / "key.pem",
        "token_endpoint": f"{authorization.base}/token",
    }

    assert run("send-test", config=write(**oauth2)).exit_code == 0

    [(header, claims)] = authorization.statements
    thumbprint = base64.urlsafe_b64encode(made.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assert (header["alg"], header["x5t#S256"]) == ("PS256", thumbprint)
    assert (claims["iss"], claims["sub"]) == (CLIENT, CLIENT)
    assert authorization.requests[0]["scope"] == "https://outlook.office365.com/.default"


def test_microsoft_application_sends_its_secret_in_the_form(write, authorization) -> None:
    oauth2 = {**authorization.tables(provider="microsoft", tenant="acme.test")}
    del oauth2["scope"]

    assert run("send-test", config=write(**oauth2)).exit_code == 0

    [form] = authorization.requests
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
    assert form["scope"] == "https://outlook.office365.com/.default"


def test_google_service_account_speaks_for_the_mailbox(write, authorization, pem, tmp_path) -> None:
    account = {"client_email": "relay@project.test", "private_key": pem, "private_key_id": "k1"}
    (tmp_path / "account.json").write_text(json.dumps(account))
    oauth2 = {
        "provider": "google",
        "service_account_file": tmp_path / "account.json",
        "token_endpoint": f"{authorization.base}/token",
    }

    assert run("send-test", config=write(**oauth2)).exit_code == 0

    [(header, claims)] = authorization.statements
    assert header["kid"] == "k1"
    assert (claims["iss"], claims["sub"]) == ("relay@project.test", MAILBOX)
    assert claims["scope"] == "https://mail.google.com/"
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"client_email": "a", "private_key": "no key"}'])
def test_service_account_file_that_cannot_be_used_is_reported(content, write, authorization, tmp_path) -> None:
    (tmp_path / "account.json").write_text(content)
    oauth2 = {"provider": "google", "service_account_file": tmp_path / "account.json"}

    done = run("send-test", config=write(**oauth2, token_endpoint=f"{authorization.base}/token"))

    assert done.exit_code == 1
    assert "service_account_file" in done.stderr
    assert authorization.requests == []


def test_private_key_that_cannot_be_used_is_reported(write, authorization, tmp_path) -> None:
    oauth2 = authorization.tables(private_key="no key", client_secret=None)
    del oauth2["client_secret"]

    done = run("send-test", config=write(**oauth2))

    assert done.exit_code == 1
    assert "private_key cannot be used" in done.stderr


# --- The configuration ------------------------------------------------------------------------------------------------


def test_check_names_the_login_and_what_is_missing(write, authorization, tmp_path) -> None:
    done = run("check", config=write(provider="custom", client_id="x", token_endpoint=f"{authorization.base}/token"))

    assert "logs in with    OAuth2 (custom, client_credentials) as relay@example.com" in done.output
    assert "not checked here" in done.stderr
    assert "client_secret_file or private_key_file is missing" in done.stderr
