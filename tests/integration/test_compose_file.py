"""What a user writes into `.env` reaches the relay in the container, unchanged."""

import re

import pytest
import yaml

from relay.config import load
from tests.support.compose import AWKWARD, COMPOSE_FILE, EXAMPLE, documented_variables, environment, quoted, read_env


@pytest.fixture
def project(tmp_path):
    """A folder with an `.env` file, as the project's folder has it."""

    def written(text: str):
        (tmp_path / ".env").write_text(text)
        return tmp_path

    return written


def filled_in(**values: str) -> str:
    """`.env.example` as a user fills it in: quoted where the example has quotes."""
    lines = EXAMPLE.read_text().splitlines()
    for name, value in values.items():
        [number] = [number for number, line in enumerate(lines) if line.startswith(f"{name}=")]
        quotes = lines[number].endswith("'")
        lines[number] = f"{name}={quoted(value) if quotes else value}"
    return "\n".join(lines)


def test_every_documented_variable_reaches_the_relay_unchanged(project):
    variables = documented_variables()
    assert "RELAY_HTTP__PASSWORD" in variables

    got = environment("relay", project("".join(f"{name}={quoted(AWKWARD)}\n" for name in variables)))

    assert got == dict.fromkeys(variables, AWKWARD)


def test_no_setting_is_lost_because_the_compose_file_sets_it_too(project):
    off = environment("relay", project("RELAY_SMTP__AUTH_IN_CLEAR=false\n"))

    assert load(None, off).settings.smtp.auth_in_clear is False


def test_relay_starts_without_an_env_file(tmp_path):
    settings = load(None, environment("relay", tmp_path)).settings

    assert settings.upstream.host == ""
    assert settings.smtp.auth_in_clear is True


def test_example_holds_known_variables_only_and_quotes_every_password():
    example = read_env(EXAMPLE.read_text())

    assert set(example) <= set(documented_variables())
    for line in re.findall(r"(?m)^.*PASSWORD=.*$", EXAMPLE.read_text()):
        assert line.endswith("=''"), line


def test_password_with_every_awkward_character_arrives(project):
    text = filled_in(
        RELAY_ADMINS="me@example.org",
        RELAY_UPSTREAM__HOST="mail.example.org",
        RELAY_UPSTREAM__USERNAME="relay@example.org",
        RELAY_UPSTREAM__PASSWORD="pa$word #1",
        RELAY_HTTP__PASSWORD=AWKWARD,
    )

    settings = load(None, environment("relay", project(text))).settings

    assert settings.upstream.password is not None
    assert settings.http.password is not None
    assert settings.upstream.password.get_secret_value() == "pa$word #1"
    assert settings.http.password.get_secret_value() == AWKWARD


def test_example_leaves_the_sender_empty_so_that_the_upstream_user_sends(project):
    text = filled_in(
        RELAY_ADMINS="me@example.org",
        RELAY_UPSTREAM__HOST="mail.example.org",
        RELAY_UPSTREAM__USERNAME="relay@example.org",
        RELAY_UPSTREAM__PASSWORD="secret",
    )

    settings = load(None, environment("relay", project(text))).settings

    assert settings.sender is None
    assert settings.sender_address == "relay@example.org"


def test_ports_are_those_of_the_recipe_and_of_the_page_on_the_loopback_alone():
    ports = yaml.safe_load(COMPOSE_FILE.read_text())["services"]["relay"]["ports"]

    assert ports == ["127.0.0.1:25:2525", "127.0.0.1:8026:8026"]
