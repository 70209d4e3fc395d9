"""Parsers and checks for configuration values: durations, sizes, lists, addresses, networks, patterns.

Each one raises ValueError with one sentence that says what would be right.
"""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from relay.config.listen import Listen, check_host, check_host_name

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhd]))+")
_PART = re.compile(r"(\d+)(ms|[smhd])")
_SIZE = re.compile(r"(\d+)\s*([KMG]i?)?B?", re.IGNORECASE)
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]{1,64}@[^\s@<>,;:\"\\()\x00-\x1f\x7f]{1,255}")
_LONGEST = timedelta(days=3660)


def parse_duration(value: Any) -> timedelta:
    """Parse `10s`, `5m`, `4h`, `14d` or several in a row (`1h30m`)."""
    if isinstance(value, timedelta):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{value!r} is no duration: write a number with its unit, such as 10s, 5m, 4h or 14d")
    total = timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    if total > _LONGEST:
        raise ValueError(f"{value!r} is longer than ten years")
    return total


def parse_size(value: Any) -> int:
    """Parse a size in bytes: a number, or a text with a unit (`90KB`, `32MiB`)."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        return int(found[1]) * _SCALE[(found[2] or "").lower()]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{value!r} is no size: write bytes as a number, or with a unit, such as 90KB or 32MiB")


def parse_list(value: Any) -> Any:
    """Parse a list that a variable holds as one text: JSON if it starts with `[`, else comma-separated."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"begins with [ but is no JSON list: {error}") from error
    return [part.strip() for part in value.split(",") if part.strip()]


def check_address(value: str) -> str:
    """Check a bare mail address (`Mailbox` of RFC 5321, without quoted strings and address literals)."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"{value!r} is no mail address: write it bare, such as yourname@example.com")
    return value


def check_zone(value: str) -> str:
    """Check the IANA name of a time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no time zone: write an IANA name, such as Europe/Berlin or UTC") from error
    return value


NETWORK_WORDS = ("loopback", "attached", "any")
"""This machine; the networks in which it has an address; every client."""


def check_network(value: str) -> str:
    """Check a network (`10.0.0.0/8`, `fd00::/8`), an address, or one of NETWORK_WORDS."""
    if value not in NETWORK_WORDS:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            words = ", ".join(NETWORK_WORDS)
            raise ValueError(f"{value!r} is no network: write one such as 10.0.0.0/8, or a word: {words}") from error
    return value


def check_pattern(value: str) -> str:
    """Check a regular expression that RE2 can search in linear time."""
    from relay.safe_regex import MAX_PATTERN, compiled  # noqa: PLC0415 -- few configurations have one, so its library is loaded on demand

    if len(value) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters: this one has {len(value)}")
    try:
        compiled(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no pattern that can be used: {error}") from None
    return value


def _listen(value: Any) -> Any:
    return Listen.parse(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Durations = Annotated[tuple[Duration, ...], BeforeValidator(parse_list)]
Size = Annotated[int, BeforeValidator(parse_size)]
MailAddress = Annotated[str, AfterValidator(check_address)]
MailAddresses = Annotated[tuple[MailAddress, ...], BeforeValidator(parse_list)]
Host = Annotated[str, AfterValidator(check_host)]
HostName = Annotated[str, AfterValidator(check_host_name)]
ZoneName = Annotated[str, AfterValidator(check_zone)]
ListenAddress = Annotated[Listen, BeforeValidator(_listen)]
Patterns = Annotated[tuple[Annotated[str, AfterValidator(check_pattern)], ...], BeforeValidator(parse_list)]
Names = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[\w.-]{3,60}$")], ...], BeforeValidator(parse_list)]
NetworkNames = Annotated[tuple[Annotated[str, AfterValidator(check_network)], ...], BeforeValidator(parse_list)]
