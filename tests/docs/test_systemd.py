"""The settings of docs/operations.md beside the units of systemd: commands must find what systemd set up."""

import configparser
import re
from pathlib import Path

import pytest

from relay.config import load
from tests.support.paths import DOCS

PAGE = (DOCS / "operations.md").read_text().partition("## Run it without Docker")[2].partition("\n## ")[0]
BLOCK = r"(?m)^    \[smtp\]\n(?:(?: {4}.*)?\n)+?(?=\S)"


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read_string((DOCS / name).read_text())
    return parser


@pytest.fixture
def settings(tmp_path: Path):
    """The settings that the page asks for in relay.toml."""
    (block,) = re.findall(BLOCK, PAGE)
    file = tmp_path / "relay.toml"
    file.write_text(re.sub(r"(?m)^    ", "", block))
    return load(file, {}).settings


def test_commands_find_the_port_that_systemd_holds(settings):
    """Before, `relay health` looked at port 2525 and said that the receiver does not answer."""
    assert str(settings.smtp.listen) == unit("error-mail-relay.socket")["Socket"]["ListenStream"]


def test_commands_find_the_state_directory_of_the_service(settings):
    assert settings.storage.data_dir == Path("/var/lib") / unit("error-mail-relay.service")["Service"]["StateDirectory"]


def test_commands_run_as_the_user_of_the_service():
    user = unit("error-mail-relay.service")["Service"]["User"]

    assert f"relay() {{ runuser -u {user} -- " in PAGE
