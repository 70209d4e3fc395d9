"""Options and helpers that several commands share: `--config`, `--json`, the settings, the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

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


def open_ledger(settings: Settings) -> Ledger:
    """Open the configured ledger; it is closed when the command ends. Raises LedgerError, DataDirError.

    Then a running worker looks at the ledger: the command may have changed what is due.
    """
    from relay.data_dir import DataDir
    from relay.ledger import Ledger
    from relay.service.lock import make_private_folder
    from relay.service.waker import wake_worker

    make_private_folder(settings.storage.data_dir)
    ledger = Ledger.open(settings.storage.ledger_url)
    context = click.get_current_context()
    context.call_on_close(lambda: wake_worker(DataDir(settings.storage.data_dir).wakeup))
    context.call_on_close(ledger.close)  # the last one is called first
    return ledger
