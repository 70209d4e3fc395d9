"""Parse and check addresses to listen on and host names; read `smtp.listen` and `http.listen` alone.

`relay health` runs every few seconds for as long as a container lives. It needs only these two addresses, so it reads
them without the library that validates the rest of the configuration.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from relay.config.source import find_file, read_toml, variable
from relay.errors import ConfigError

_LABEL = re.compile(r"[\w-]{1,63}")


def check_host_name(value: str) -> str:
    """Check a host name, not an address. Empty is allowed."""
    if check_host(value) and _is_address(value):
        raise ValueError(f"{value!r} is an address: write the full name of a host, such as mail.example.com")
    return value


def check_host(value: str) -> str:
    """Check a host: a name or an IP address, without port, brackets or scheme. Empty is allowed."""
    bare = value.removeprefix("[").removesuffix("]")
    if _is_address(value) or not value or all(map(_LABEL.fullmatch, value.removesuffix(".").split("."))):
        return value
    if _is_address(bare):
        raise ValueError(f"{value!r} has brackets: write the bare address, {bare}")
    scheme, separator, rest = value.rpartition("://")
    name, colon, port = rest.rstrip("/").rpartition(":")
    if colon and port.isdecimal():
        raise ValueError(f'{value!r} is a host with a port: write host = "{name.strip("[]")}" and port = {port}')
    if separator:
        raise ValueError(f"{value!r} begins with {scheme}://: write the host alone, {rest.rstrip('/')}")
    raise ValueError(f"{value!r} is no host: write a name such as mail.example.com, or an IP address")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Listen(NamedTuple):
    """An address to listen on; `host` has no brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Parse `host:port`, with brackets around an IPv6 host."""
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        if not colon or not bare or not port.isdecimal() or int(port) > 65535 or (":" in bare and bare == host):
            raise ValueError(f"{text!r} is no address to listen on: write host:port, such as 127.0.0.1:2525")
        return cls(check_host(bare), int(port))

    def __str__(self) -> str:
        """Return `host:port`, as `parse` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def collides(self, other: Listen) -> bool:
        """Whether two sockets cannot be bound to these two addresses at the same time."""
        if not self.port or self.port != other.port:
            return False
        hosts = {_address(self.host), _address(other.host)}
        wildcard = "::" if any(":" in host for host in hosts) else "0.0.0.0"  # noqa: S104 -- compared, not bound
        same_family = len({":" in host for host in hosts}) == 1
        return len(hosts) == 1 or (same_family and wildcard in hosts)


def _address(host: str) -> str:
    return {"localhost": "127.0.0.1", "": "0.0.0.0"}.get(host, host)  # noqa: S104 -- compared, not bound


SMTP = Listen("127.0.0.1", 2525)
"""The default of `smtp.listen`."""
HTTP = Listen("127.0.0.1", 8026)
"""The default of `http.listen`."""


def listen_addresses(path: Path | None = None, environ: Mapping[str, str] | None = None) -> tuple[Listen, Listen]:
    """Return `smtp.listen` and `http.listen` as `load` would.

    `path` is the configuration file as given on the command line. Raises ConfigError if the file cannot be read or one
    of the two is invalid; the rest of the configuration is not checked.
    """
    environ = os.environ if environ is None else environ
    file = find_file(path, environ)
    tables = read_toml(file)[0] if file else {}
    return _written("smtp", SMTP, tables, environ), _written("http", HTTP, tables, environ)


def _written(section: str, default: Listen, tables: Mapping[str, object], environ: Mapping[str, str]) -> Listen:
    """Return the address that is configured for `section`, else the default."""
    name = variable(section, "listen")
    table = tables.get(section)
    written = table.get("listen", default) if isinstance(table, Mapping) else default
    from_environment = environ.get(name, "")
    value = from_environment if from_environment.strip() else written
    if isinstance(value, Listen):
        return value
    try:
        return Listen.parse(str(value))
    except ValueError as error:
        raise ConfigError((f"{name if value is from_environment else f'[{section}] listen'}: {error}",)) from None
