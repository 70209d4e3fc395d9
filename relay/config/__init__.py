"""The configuration: every setting with its type and default, read from `relay.toml` and the environment.

    source     finds and reads the file; needs no library
    listen     the addresses the relay listens on; needs no library
    values     parsers for durations, sizes, addresses, networks and patterns
    section    what all tables share
    server     the tables [smtp], [http], [storage], [log]
    grouping   the tables [[app]], [[rule]], [redact]
    digests    the tables [[route]], [timing], [budget], [digest], [time]
    upstream   the table [upstream]
    oauth2     the table [upstream.oauth2]
    settings   all tables together, and the checks across them
    loader     validates file and environment, and turns errors into sentences

Guarantee: a `Settings` object is valid, and nothing checks it again. Secrets are `SecretStr` and print as asterisks.
Of the relay it imports only `relay.model` and the modules below it.

A name is imported from its module when it is first used. So `relay health`, which needs `listen` alone, does not load
pydantic, which takes a fifth of a second.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relay.config.digests import Zone
    from relay.config.listen import Listen
    from relay.config.loader import Loaded, load
    from relay.config.oauth2 import Grant, OAuth2
    from relay.config.server import Http, Log, Smtp, Storage
    from relay.config.settings import Settings, make_settings
    from relay.config.upstream import Upstream

# No plugin of another package may change what is valid, and to look for one takes a tenth of the time of `status`.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_MODULES = {
    "Grant": "oauth2",
    "Http": "server",
    "Listen": "listen",
    "Loaded": "loader",
    "Log": "server",
    "OAuth2": "oauth2",
    "Settings": "settings",
    "Smtp": "server",
    "Storage": "server",
    "Upstream": "upstream",
    "Zone": "digests",
    "load": "loader",
    "make_settings": "settings",
}
"""The module of each public name. No module has the name of one: it would replace it in this namespace."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "Grant",
    "Http",
    "Listen",
    "Loaded",
    "Log",
    "OAuth2",
    "Settings",
    "Smtp",
    "Storage",
    "Upstream",
    "Zone",
    "load",
    "make_settings",
]
