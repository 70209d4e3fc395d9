"""Every setting, its type and default: `relay.toml`, then the environment over it.

    values     durations, sizes, addresses and their like, as people write them
    section    what all tables share
    server     the tables of what runs: [smtp], [http], [storage], [log]
    sorting    of what a mail is taken for: [[app]], [[rule]], [redact]
    telling    of who is told what and when: [[route]], [timing], [budget], [digest], [time]
    upstream   of the mail server that takes the digests
    settings   all of them, and what must hold between them
    load       where the values come from, and what is said when they are wrong

Guarantee: a `Settings` that exists is usable as it stands; nobody checks it again. Secrets
are `SecretStr` and print as asterisks. Imports of ours: `model` and `errors` alone.
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
