"""Every setting, its type and default: `relay.toml`, then the environment over it.

    values     durations, sizes, addresses and their like, as people write them
    settings   the tables and what must hold between them
    load       where the values come from, and what is said when they are wrong

Guarantee: a `Settings` that exists is usable as it stands; nobody checks it again. Secrets
are `SecretStr` and print as asterisks. Imports of ours: `model` and `errors` alone.
"""

from relay.config.load import Loaded, load
from relay.config.settings import (
    App,
    Budget,
    DigestLimits,
    Http,
    Log,
    Route,
    Rule,
    Settings,
    Smtp,
    Storage,
    Timing,
    Upstream,
    Zone,
    make_settings,
)
from relay.config.values import Listen

__all__ = [
    "App",
    "Budget",
    "DigestLimits",
    "Http",
    "Listen",
    "Loaded",
    "Log",
    "Route",
    "Rule",
    "Settings",
    "Smtp",
    "Storage",
    "Timing",
    "Upstream",
    "Zone",
    "load",
    "make_settings",
]
