"""Options and helpers that several commands share: `--config`, `--json`, the settings, the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relay.errors import LedgerError

if TYPE_CHECKING:
    from relay.config import Loaded, Settings
    from relay.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])

config_option: Callable[[F], F] = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="The configuration file (else RELAY_CONFIG, ./relay.toml, /etc/error-mail-relay/relay.toml).",
)
json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")


def _login_name() -> str:
    """Return the user who runs the command, before `sudo`; "unknown" where there is none."""
    import getpass
    import os

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container without this user
        return "unknown"


reason_option: Callable[[F], F] = click.option(
    "--reason", default="", help="Why: the audit log and the next digest show it."
)
author_option: Callable[[F], F] = click.option(
    "--author", default=_login_name, help="Who does it (else the user of this shell)."
)


NO_LEDGER = (
    "there is no ledger: no relay has run with the data directory {folder}; "
    "check [storage] data_dir, or start the relay with `relay serve`"
)


def load_config(config: Path | None) -> Loaded:
    """Read the configuration and print its warnings to standard error. Raises ConfigError."""
    from relay.config import load

    found = load(config)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    return found


def settings_of(config: Path | None) -> Settings:
    """Read the configuration. Raises ConfigError."""
    return load_config(config).settings


def has_ledger(settings: Settings) -> bool:
    """Return whether a relay has created the ledger's file; True for a ledger on a server, which only opening shows."""
    from relay.ledger import sqlite_file

    file = sqlite_file(settings.storage.ledger_url)
    return file is None or file.exists()


def open_ledger(settings: Settings) -> Ledger:
    """Open the configured ledger; it is closed when the command ends. Raises LedgerError.

    Only the relay itself creates or migrates a ledger: a command in the wrong data directory must not make one there
    and show zeros, and a command of a new release must not take the ledger away from a relay of the old one.
    Afterwards a running worker looks at the ledger: the command may have changed what is due.
    """
    from relay.data_dir import DataDir
    from relay.ledger import Ledger
    from relay.service.waker import wake_worker

    if not has_ledger(settings):
        raise LedgerError(NO_LEDGER.format(folder=settings.storage.data_dir))
    ledger = Ledger.open(settings.storage.ledger_url, create=False)
    context = click.get_current_context()
    context.call_on_close(lambda: wake_worker(DataDir(settings.storage.data_dir).wakeup))
    context.call_on_close(ledger.close)  # the last one is called first
    return ledger
