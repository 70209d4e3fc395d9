"""Load the configuration from file and environment; report each error in one sentence with its place.

Order: defaults, then the TOML file, then the environment (`RELAY_UPSTREAM__HOST`). An empty variable counts as unset,
because compose files pass empty ones on. It does not use pydantic-settings, because each error names the line or the
variable that it is about.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from relay.config.digests import ROUTE_GLOBS
from relay.config.section import section_in, section_of
from relay.config.server import Log
from relay.config.settings import Settings
from relay.config.source import CONFIG_VARIABLE, PREFIX, find_file, read_toml, variable
from relay.errors import ConfigError

if TYPE_CHECKING:
    from relay.config.service_files import FileProblem
    from relay.model import Route

Location = tuple[str | int, ...]
"""Where pydantic found an error: names of tables and settings, and indexes of lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid configuration, the file it came from (None: defaults and environment only), and its warnings."""

    settings: Settings
    file: Path | None
    warnings: tuple[str, ...]
    tables: dict[str, Any] = field(repr=False)
    """The tables that the settings were built from, as `relay.toml` would hold them, for `Settings.model_validate`."""
    places: Places = field(repr=False)

    def file_problems(self) -> list[FileProblem]:
        """Return the secrets and certificates that this process cannot use; each text says where it is configured."""
        from relay.config.service_files import file_problems  # noqa: PLC0415 -- most commands read no secret

        return [
            each._replace(
                text=f"{self.places.of((*each.table.split('.'), each.setting))}: "
                f"{each.text.removeprefix(f'{each.setting} ')}"
            )
            for each in file_problems(self.settings)
        ]

    def placeholders(self) -> list[str]:
        """Return a warning, with its place, for each setting that still has the value of an example."""
        from relay.config.placeholders import placeholders  # noqa: PLC0415 -- only `check` and `serve` ask

        return [f"{self.places.of(each.location)}: {each.text}" for each in placeholders(self.settings)]

    def require_files(self, *tables: str) -> Settings:
        """Return the settings if every secret and certificate in `tables` (none named: in all) can be read.

        Raises ConfigError with one sentence for each one that cannot.
        """
        problems = [each.text for each in self.file_problems() if not tables or each.table.split(".")[0] in tables]
        if problems:
            raise ConfigError(tuple(problems))
        return self.settings


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration from `path` (else `RELAY_CONFIG`, else CONFIG_FILES) and the environment.

    Raises ConfigError with one sentence for every problem; no sentence quotes a secret.
    """
    environ = os.environ if environ is None else environ
    file = find_file(path, environ)
    source, text = read_toml(file) if file else ({}, "")
    variables, warnings = _overlay(environ)
    tables = _merge(source, {".".join(key): value for key, value in variables.items()})
    places = Places(file, text, variables)
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        raise ConfigError(tuple(dict.fromkeys(_sentence(each, places) for each in error.errors()))) from None
    warnings += _shadowed(settings)
    return Loaded(settings=settings, file=file, warnings=tuple(warnings), tables=tables, places=places)


def log_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Log:
    """Return `[log]` of a configuration that may be wrong in other places; the defaults if it cannot be read."""
    environ = os.environ if environ is None else environ
    try:
        file = find_file(path, environ)
        source = read_toml(file)[0] if file else {}
    except ConfigError:
        source = {}
    table = {"log": source["log"]} if "log" in source else {}
    variables = {".".join(key): value for key, value in _overlay(environ)[0].items() if key[0] == "log"}
    try:
        return Log.model_validate(_merge(table, variables).get("log", {}))
    except ValidationError:
        return Log()


def known_keys(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting, e.g. ("upstream", "host"); for a list of tables only its name."""
    for name, setting in model.model_fields.items():
        if section := section_of(setting):
            yield from known_keys(section, (*above, name))
        else:
            yield (*above, name)


def _overlay(environ: Mapping[str, str]) -> tuple[dict[tuple[str, ...], str], list[str]]:
    known = {variable(*key): key for key in known_keys()}
    values, warnings = {}, []
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in known:
            warnings.append(
                f"{name} is not a setting of the relay and is ignored{_did_you_mean(name, (*known, CONFIG_VARIABLE))}"
            )
        elif value.strip():
            values[known[name]] = value
    return values, warnings


def _merge(source: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    merged = copy.deepcopy(source)
    for dotted, value in variables.items():
        *tables, key = dotted.split(".")
        place: Any = merged
        for table in tables:
            place = place.setdefault(table, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[key] = value
            if f"{key}_file" in place and f"{dotted}_file" not in variables:
                del place[f"{key}_file"]  # the environment wins over a `_file` setting in the file, too
    return merged


@dataclass(frozen=True, slots=True)
class Places:
    """Finds where a setting was written: the variable, or the file and line."""

    file: Path | None
    text: str
    variables: Mapping[tuple[str, ...], str]

    def of(self, loc: Location) -> str:
        """Return the place of a setting, as the beginning of an error sentence."""
        names = tuple(part for part in loc if isinstance(part, str))
        for length in range(len(names), 0, -1):
            if names[:length] in self.variables:
                return variable(*names[:length])
        shown = _toml_name(loc)
        if self.file is None:
            return shown or "configuration"
        line = self._line(loc)
        return f"{self.file}{f':{line}' if line else ''}{f': {shown}' if shown else ''}"

    def _line(self, loc: Location) -> int | None:
        """Return the line of the key, or of its table; None if neither is written (a default, an inline table)."""
        table = [part for part in loc if isinstance(part, str)]
        name = ".".join(_tables(loc)) or (table[0] if table else "")
        index = next((part for part in loc if isinstance(part, int)), 0)
        inside, seen, header = not table[1:], -1, None
        key = table[-1] if table else ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if found := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
                seen += found[1] == name
                inside = bool(table) and found[1] == name and (not line.lstrip().startswith("[[") or seen == index)
                header = number if inside else header
            elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return header


def _tables(loc: Location) -> list[str]:
    """Return the names of the tables that `loc` lies in, the outermost first; [] for a list of tables."""
    found: list[str] = []
    model: type[BaseModel] = Settings
    for part in loc:
        setting = model.model_fields.get(part) if isinstance(part, str) else None
        section = section_of(setting) if setting else None
        if section is None:
            break
        found.append(str(part))
        model = section
    return found


def _toml_name(loc: Location) -> str:
    names = [str(part) if isinstance(part, str) else f"#{part + 1}" for part in loc]
    if tables := _tables(loc):
        return " ".join([f"[{'.'.join(tables)}]", *names[len(tables) :]])
    if len(names) == 1:
        return names[0]
    if names and names[0] in {"route", "app", "rule"}:
        return f"[[{names[0]}]] {' '.join(names[1:])}"
    if names and isinstance(loc[1], int):
        return " ".join(names)
    return f"[{names[0]}] {' '.join(names[1:])}" if names else ""


_MESSAGES = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "tuple_type": 'must be a list, such as ["one", "two"]',
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "path_type": "must be a path in quotes",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "may hold letters, digits, '.', '_' and '-' only",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _sentence(error: Mapping[str, Any], places: Places) -> str:
    """Return one sentence for an error of pydantic: its place, and what would be right."""
    loc: Location = tuple(error["loc"])
    where, kind, context = places.of(loc), error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: there is no such setting{_nearest(loc)}"
    if kind == "value_error":
        return f"{where}: {context['error']}"
    if kind in {"literal_error", "enum"}:
        return f"{where}: must be one of {context['expected']}"
    if kind in _MESSAGES:
        return f"{where}: {_MESSAGES[kind]}"
    for bound, text in _BOUNDS.items():
        if bound in context:
            return f"{where}: must be {text} {context[bound]}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _nearest(loc: Location) -> str:
    """Return a hint for an unknown setting: a similar name, the table it belongs in, or the known names."""
    model: type[BaseModel] = Settings
    for part in loc[:-1]:
        if isinstance(part, str):
            model = section_in(model.model_fields[part]) or model
    wrong = str(loc[-1])
    if near := _did_you_mean(wrong, model.model_fields):
        return near
    homes = [key for key in known_keys() if key[-1] == wrong]
    if homes:
        return (
            f"; {wrong} belongs in [{'.'.join(homes[0][:-1])}]"
            if len(homes[0]) > 1
            else f"; {wrong} stands above all tables"
        )
    return f"; known here: {', '.join(sorted(model.model_fields))}"


def _did_you_mean(wrong: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 -- only mistakes need it, and mail waits for the imports above

    near = difflib.get_close_matches(wrong, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _shadowed(settings: Settings) -> Iterator[str]:
    """Yield a warning for each route that is never reached, because an earlier one takes all of its errors."""
    for index, route in enumerate(settings.route):
        earlier = next((each for each in settings.route[:index] if _takes_all_of(each, route)), None)
        if earlier:
            yield f"route {route.name!r} is never reached: route {earlier.name!r} before it takes all of its errors"


def _takes_all_of(earlier: Route, later: Route) -> bool:
    return earlier.level <= later.level and all(
        getattr(earlier, condition) in {"*", getattr(later, condition)} for condition in ROUTE_GLOBS
    )
