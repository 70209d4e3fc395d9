"""docker-compose.yml as Docker Compose reads it: which variables reach a service, given an `.env` file.

It covers what the compose file of this project uses: `env_file`, `environment`, `${NAME:-default}`, and the three ways
to quote a value. `tests/e2e/test_docker.py` compares the result with the real `docker compose config`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from relay.config.loader import known_keys
from relay.config.source import CONFIG_VARIABLE, PREFIX
from tests.support.paths import ROOT

COMPOSE_FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
AWKWARD = r"""a $word ${HOME} #1 "two" \d+ = 'it' """.strip()
"""A value with every character that an unquoted value would lose."""

_STATEMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[\w.-]+)[ \t]*=[ \t]*
        (?: '(?P<single>(?:\\.|[^'\\])*)' | "(?P<double>(?:\\.|[^"\\])*)" | (?P<bare>[^\n]*) )""",
    re.MULTILINE | re.VERBOSE,
)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|(?P<plain>\w+))")


def documented_variables() -> list[str]:
    """Every variable of the environment that docs/configuration.md describes: `RELAY_UPSTREAM__HOST`."""
    return [CONFIG_VARIABLE, *(PREFIX + "__".join(key).upper() for key in known_keys())]


def quoted(value: str) -> str:
    """A value in single quotes, in which every character counts; a quote in it gets a backslash."""
    return "'" + value.replace("'", r"\'") + "'"


def read_env(text: str) -> dict[str, str]:
    """The variables in an `.env` file, as compose-go's package dotenv reads them."""
    found: dict[str, str] = {}
    for statement in _STATEMENT.finditer(text):
        single, double, bare = statement["single"], statement["double"], statement["bare"]
        if single is not None:
            value = single.replace(r"\'", "'")
        elif double is not None:
            value = _filled_in(double.replace(r"\"", '"'), found)
        else:
            value = _filled_in(re.split(r"(?:^| )#", bare)[0].rstrip(), found)
        found[statement["name"]] = value
    return found


def environment(service: str, folder: Path) -> dict[str, str]:
    """The variables that `service` gets if `folder` is the project's and the shell sets none."""
    dotenv = folder / ".env"
    variables = read_env(dotenv.read_text()) if dotenv.is_file() else {}
    found: dict[str, str] = {}
    described: Mapping[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())["services"][service]
    for file in described.get("env_file", ()):
        path = folder / file["path"]
        assert path.is_file() or not file.get("required", True), f"{path} is required"
        found |= read_env(path.read_text()) if path.is_file() else {}
    for name, value in _pairs(described.get("environment", {})):
        if value is not None:
            found[name] = _filled_in(value, variables)
        elif name in variables:
            found[name] = variables[name]
    return found


def _pairs(entries: Any) -> list[tuple[str, str | None]]:
    if isinstance(entries, Mapping):
        return [(name, None if value is None else str(value)) for name, value in entries.items()]
    parts = [str(entry).partition("=") for entry in entries]
    return [(name, value if equals else None) for name, equals, value in parts]


def _filled_in(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: variables.get(m["braced"] or m["plain"]) or m["default"] or "", text)
