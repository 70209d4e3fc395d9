"""Find the configuration file and read it as TOML, without validating it (file, environment → loader, listen).

It needs nothing but the standard library, so that `relay health` can use it at little cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay.errors import ConfigError

PREFIX = "RELAY_"
CONFIG_VARIABLE = "RELAY_CONFIG"
CONFIG_FILES = (Path("relay.toml"), Path("/etc/error-mail-relay/relay.toml"))


def variable(*key: str) -> str:
    """Return the environment variable of a setting: `RELAY_SMTP__LISTEN` for ("smtp", "listen")."""
    return PREFIX + "__".join(key).upper()


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file: `path`, else `RELAY_CONFIG`, else the first of CONFIG_FILES, else None.

    Raises ConfigError if a named file does not exist.
    """
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is not None and not _is_file(named):
        raise ConfigError((f"{named}: there is no such file; name the configuration with --config FILE",))
    return named or next((place for place in CONFIG_FILES if _is_file(place)), None)


def _is_file(place: Path) -> bool:
    """Return whether there is a file. An absolute path that this user may not look up counts as one: reading it fails.

    A relative one does not count: under `sudo -u` the current folder is often another user's home.
    """
    try:
        return place.is_file()
    except PermissionError:
        return place.is_absolute()


def read_toml(file: Path) -> tuple[dict[str, Any], str]:
    """Return the tables of a TOML file, and its text. Raises ConfigError."""
    import tomllib  # noqa: PLC0415 -- mail waits for these imports, and not every relay has a file

    try:
        text = file.read_text("utf-8")
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        raise ConfigError((f"{file}: this is not UTF-8 text (byte {error.start})",)) from error
    except RecursionError as error:
        raise ConfigError((f"{file}: this is nested too deep",)) from error
    except ValueError as error:  # TOMLDecodeError, or a number with too many digits
        raise ConfigError((f"{file}: this is not TOML: {error}",)) from error
    except OSError as error:
        raise ConfigError((f"{file}: cannot be read: {error.strerror}",)) from error
