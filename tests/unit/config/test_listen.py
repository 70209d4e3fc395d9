"""The two addresses that `relay health` reads: the same as those of the whole configuration, and their errors."""

from pathlib import Path

import pytest

from relay.config import load
from relay.config.listen import listen_addresses
from relay.errors import ConfigError

FILE = '[smtp]\nlisten = "[::1]:2600"\n[http]\nlisten = "0.0.0.0:8080"\n'
SOURCES = {
    "defaults": ("", {}),
    "file": (FILE, {}),
    "environment over file": (FILE, {"RELAY_SMTP__LISTEN": "127.0.0.2:2700", "RELAY_HTTP__LISTEN": "[::]:81"}),
    "an empty variable counts as unset": (FILE, {"RELAY_SMTP__LISTEN": " "}),
}


@pytest.mark.parametrize(("text", "environ"), SOURCES.values(), ids=SOURCES)
def test_addresses_are_those_of_the_whole_configuration(tmp_path: Path, text: str, environ: dict[str, str]):
    file = tmp_path / "relay.toml"
    file.write_text(text)
    settings = load(file, environ).settings

    assert listen_addresses(file, environ) == (settings.smtp.listen, settings.http.listen)


def test_file_is_found_as_the_whole_configuration_finds_it(tmp_path: Path):
    file = tmp_path / "other.toml"
    file.write_text(FILE)

    assert listen_addresses(None, {"RELAY_CONFIG": str(file)}) == listen_addresses(file, {})


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("", {"RELAY_HTTP__LISTEN": "here"}, "RELAY_HTTP__LISTEN: 'here' is no address to listen on"),
        ('[smtp]\nlisten = "here"', {}, "[smtp] listen: 'here' is no address to listen on"),
        ("[smtp]\nlisten = 25", {}, "[smtp] listen: '25' is no address to listen on"),
        ("[smtp", {}, "this is not TOML"),
    ],
)
def test_error_says_which_setting_is_wrong(tmp_path: Path, text: str, environ: dict[str, str], expected: str):
    file = tmp_path / "relay.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        listen_addresses(file, environ)

    assert expected in str(caught.value)


def test_other_settings_are_not_looked_at(tmp_path: Path):
    """The relay runs, so its configuration was valid when it started; what was written since is no matter of health."""
    file = tmp_path / "relay.toml"
    file.write_text(FILE + '[upstream]\nhost = 7\npassword_file = "/nowhere"\n')

    assert listen_addresses(file, {})[0].port == 2600
