"""The configuration: every setting with its type and default, read from `relay.toml` and the environment.

    values     parsers for durations, sizes, addresses, networks and patterns
    section    what all tables share
    server     the tables [smtp], [http], [storage], [log]
    grouping   the tables [[app]], [[rule]], [redact]
    digests    the tables [[route]], [timing], [budget], [digest], [time]
    upstream   the table [upstream]
    settings   all tables together, and the checks across them
    load       reads the file and the environment, and turns errors into sentences

Guarantee: a `Settings` object is valid, and nothing checks it again. Secrets are `SecretStr` and print as asterisks.
Of the relay it imports only `relay.model` and the modules below it.
"""

from relay.config.digests import Zone
from relay.config.load import Loaded, load
from relay.config.server import Http, Log, Smtp, Storage
from relay.config.settings import Settings, make_settings
from relay.config.upstream import Upstream
from relay.config.values import Listen

__all__ = [
    "Http",
    "Listen",
    "Loaded",
    "Log",
    "Settings",
    "Smtp",
    "Storage",
    "Upstream",
    "Zone",
    "load",
    "make_settings",
]
