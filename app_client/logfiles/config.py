"""Create log handlers from an app's configuration: files, syslog and the Windows event log.

    ERROR_LOG_FILE        path of a log file
    ERROR_LOG_ROTATE      "size", "time", or "watched" for logrotate. Default None: no rotation
    ERROR_LOG_MAX_BYTES   size of the file at which "size" rotates. Default 10485760
    ERROR_LOG_WHEN        when "time" rotates, as in the standard handler. Default "midnight"
    ERROR_LOG_KEEP        number of old files that are retained. Default 5 for "size", 14 for "time"
    ERROR_LOG_SYSLOG      "local" for the socket of this system, or a path, "udp://host:514", "tcp://host:601"
    ERROR_LOG_EVENTS      the name of the source in the Windows event log
    ERROR_LOG_LEVEL       lowest level that is logged, as name or number. Default "WARNING"
    ERROR_LOG_FORMAT      "json", or a format, which may use `%(url)s` and so on. Default: the documented format
    ERROR_LOG_ISO_TIME    True for ISO 8601 times with the zone. Default False; JSON always has them

All keys are optional. There is a handler for each of ERROR_LOG_FILE, ERROR_LOG_SYSLOG and ERROR_LOG_EVENTS that is set.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from app_client.formatting.formatters import ErrorFormatter, FileFormatter
from app_client.formatting.json_formatter import JsonFormatter
from app_client.formatting.request import FactSource
from app_client.logfiles.handlers import plain_file, rotating_file, syslog, timed_file, watched_file, windows_event_log

Config = Mapping[str, Any]


def handlers_of(config: Config, *, name: str, facts: FactSource) -> list[logging.Handler]:
    """Return the configured handlers, opened. `name` is the name of the app, `facts` the source of request facts.

    Raises ValueError, which names the key, if a handler cannot work; then no handler stays open.
    """
    made: list[logging.Handler] = []
    try:
        for key, make in (
            ("ERROR_LOG_FILE", _file),
            ("ERROR_LOG_SYSLOG", functools.partial(_syslog, name=name)),
            ("ERROR_LOG_EVENTS", _events),
        ):
            if config.get(key):
                made.append(_checked(key, make, config, facts))
    except ValueError:
        for handler in made:
            handler.close()
        raise
    return made


def _checked(
    key: str, make: Callable[[Config, FactSource], logging.Handler], config: Config, facts: FactSource
) -> logging.Handler:
    try:
        handler = make(config, facts)
    except (OSError, TypeError, ValueError) as problem:
        raise ValueError(f'app.config["{key}"]: {problem}') from problem
    try:
        handler.setLevel(config.get("ERROR_LOG_LEVEL", logging.WARNING))
    except (TypeError, ValueError) as problem:
        handler.close()
        raise ValueError(f'app.config["ERROR_LOG_LEVEL"]: {problem}') from problem
    return handler


def _file(config: Config, facts: FactSource) -> logging.Handler:
    path, formatter = config["ERROR_LOG_FILE"], _formatter(config, facts)
    given = {"max_bytes": config.get("ERROR_LOG_MAX_BYTES"), "when": config.get("ERROR_LOG_WHEN")}
    keep = {} if config.get("ERROR_LOG_KEEP") is None else {"keep": config["ERROR_LOG_KEEP"]}
    match config.get("ERROR_LOG_ROTATE"):
        case None | "":
            return plain_file(path, formatter=formatter)
        case "watched":
            return watched_file(path, formatter=formatter)
        case "size":
            return rotating_file(path, formatter=formatter, **keep, **_only(given, "max_bytes"))
        case "time":
            return timed_file(path, formatter=formatter, **keep, **_only(given, "when"))
        case other:
            raise ValueError(f'ERROR_LOG_ROTATE must be "size", "time", "watched" or None, not {other!r}')


def _only(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {} if given[name] is None else {name: given[name]}


def _syslog(config: Config, facts: FactSource, *, name: str) -> logging.Handler:
    address = config["ERROR_LOG_SYSLOG"]
    formatter = _formatter(config, facts, single=True)
    return syslog("" if address in ("local", True) else address, ident=name, formatter=formatter)


def _events(config: Config, facts: FactSource) -> logging.Handler:
    return windows_event_log(config["ERROR_LOG_EVENTS"], formatter=_formatter(config, facts))


def _formatter(config: Config, facts: FactSource, *, single: bool = False) -> ErrorFormatter:
    fmt, iso_time = config.get("ERROR_LOG_FORMAT"), bool(config.get("ERROR_LOG_ISO_TIME"))
    if fmt == "json":
        return JsonFormatter(facts=facts)
    try:
        return FileFormatter(fmt or None, facts=facts, iso_time=iso_time, single=single)
    except ValueError as problem:
        raise ValueError(f"ERROR_LOG_FORMAT: {problem}") from problem
