"""The table `[upstream.oauth2]`: what is refused, where the sentence says it is, and what is derived."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from relay.config import Grant, OAuth2, Upstream, load
from relay.errors import ConfigError

MICROSOFT = {"provider": "microsoft", "tenant": "acme.test", "client_id": "x"}
GOOGLE = {"provider": "google", "client_id": "x"}
CUSTOM = {"provider": "custom", "client_id": "x", "token_endpoint": "https://login.test/token"}


def upstream(oauth2: dict[str, Any], **more: Any) -> Upstream:
    return Upstream.model_validate({"host": "mail.acme.test", "username": "a@acme.test", "oauth2": oauth2, **more})


@pytest.mark.parametrize(
    ("oauth2", "more", "sentence"),
    [
        ({"client_id": "x"}, {}, "provider is missing"),
        ({**MICROSOFT, "token_command": "az token"}, {}, "provider and token_command are set"),
        ({"provider": "microsoft", "client_id": "x"}, {}, "tenant is missing"),
        ({"provider": "microsoft", "tenant": "acme.test"}, {}, "client_id is missing"),
        ({**MICROSOFT, "grant": "service_account"}, {}, "service accounts are Google's"),
        ({**MICROSOFT, "certificate": "a.crt"}, {}, "certificate and private_key_file go together"),
        ({**CUSTOM, "private_key": "k", "client_secret": "s"}, {}, "both set"),
        ({**GOOGLE, "grant": "device_code"}, {}, "no mail scope to devices"),
        ({**GOOGLE, "grant": "client_credentials"}, {}, "service_account"),
        ({"provider": "custom", "client_id": "x"}, {}, "token_endpoint is missing"),
        ({**CUSTOM, "grant": "device_code"}, {}, "device_endpoint is missing"),
        ({**CUSTOM, "grant": "authorization_code"}, {}, "authorization_endpoint is missing"),
        ({**CUSTOM, "token_endpoint": "http://login.test/token"}, {}, "begins with https://"),
        ({**CUSTOM, "token_endpoint": "https://u:p@login.test/"}, {}, "no user name or password"),
        ({**CUSTOM, "client_secret": "a", "client_secret_file": "b"}, {}, "are both set"),
        ({"token_command": "echo 'open"}, {}, "no command line"),
        (MICROSOFT, {"username": ""}, "username is missing"),
        (MICROSOFT, {"password": "p"}, "password and [upstream.oauth2] are both set"),
        (MICROSOFT, {"security": "none"}, "would send the access token in clear"),
    ],
)
def test_table_that_cannot_work_is_refused(oauth2, more, sentence):
    with pytest.raises(ValidationError) as error:
        upstream(oauth2, **more)

    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("oauth2", "flow", "missing"),
    [
        ({}, None, ()),
        (MICROSOFT, Grant.CLIENT_CREDENTIALS, ("client_secret", "private_key")),
        ({**MICROSOFT, "client_secret": "s"}, Grant.CLIENT_CREDENTIALS, ()),
        ({**MICROSOFT, "grant": "device_code"}, Grant.DEVICE_CODE, ()),
        ({"provider": "google"}, Grant.SERVICE_ACCOUNT, ("service_account",)),
        ({**CUSTOM, "grant": "refresh_token"}, Grant.REFRESH_TOKEN, ("refresh_token",)),
        ({"token_command": "az token"}, Grant.COMMAND, ()),
        ({"token_file": "/run/token"}, Grant.FILE, ()),
    ],
)
def test_way_to_a_token_follows_from_the_table(oauth2, flow, missing):
    section = OAuth2.model_validate(oauth2)

    assert section.enabled is (flow is not None)
    if flow:
        assert (section.flow, section.missing_secrets) == (flow, missing)


def test_microsoft_and_google_need_no_addresses():
    assert OAuth2.model_validate(MICROSOFT).endpoints.token == (
        "https://login.microsoftonline.com/acme.test/oauth2/v2.0/token"
    )
    assert OAuth2.model_validate({"provider": "google"}).endpoints == (
        "https://oauth2.googleapis.com/token",
        "",
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://mail.google.com/",
    )


@pytest.mark.parametrize("text", ["az account get-access-token", '["az", "account", "get-access-token"]'])
def test_command_is_a_list_or_words_as_in_a_shell(text):
    assert OAuth2.model_validate({"token_command": text}).token_command == ("az", "account", "get-access-token")


def test_variables_of_the_nested_table_reach_it(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(
        'admins = ["a@acme.test"]\n[upstream]\nhost = "mail.acme.test"\nusername = "a@acme.test"\n'
        '[upstream.oauth2]\nprovider = "microsoft"\ntenant = "acme.test"\nclient_secret_file = "/missing"\n'
    )
    environ = {"RELAY_UPSTREAM__OAUTH2__CLIENT_ID": "x", "RELAY_UPSTREAM__OAUTH2__CLIENT_SECRET": "s"}

    oauth2 = load(file, environ).settings.upstream.oauth2

    assert (oauth2.tenant, oauth2.client_id, oauth2.secret("client_secret")) == ("acme.test", "x", "s")


def test_error_in_the_nested_table_names_its_line(tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(
        '[upstream]\nhost = "mail.acme.test"\n[upstream.oauth2]\nprovider = "custom"\ntoken_endpont = "x"\n'
    )

    with pytest.raises(ConfigError) as error:
        load(file, {})

    assert f"{file}:5: [upstream.oauth2] token_endpont: there is no such setting; did you mean token_endpoint?" in str(
        error.value
    )


def test_secret_that_cannot_be_read_names_its_line_and_nothing_else(tmp_path):
    file = tmp_path / "relay.toml"
    secret = tmp_path / "s3cret"
    file.write_text(
        'admins = ["a@acme.test"]\n[upstream]\nhost = "mail.acme.test"\nusername = "a@acme.test"\n'
        '[upstream.oauth2]\nprovider = "microsoft"\ntenant = "acme.test"\nclient_id = "x"\n'
        f'client_secret_file = "{secret}"\n'
    )

    [problem] = load(file, {}).file_problems()

    assert problem.text == f"{file}:9: [upstream.oauth2] client_secret_file: cannot be read: {os.strerror(2)}"


def test_no_secret_is_in_the_representation():
    section = OAuth2.model_validate({**CUSTOM, "client_secret": "s3cret", "refresh_token": "s3cret"})

    assert "s3cret" not in repr(section)
