"""`serve`, `receive`, `work`: start the processes.

This module imports almost nothing, so that mail is accepted as early as possible. What the processes print goes to
their log, in its format, also warnings about the configuration and an error that keeps a process from starting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option

if TYPE_CHECKING:
    from relay.config import Loaded, Log


@click.command()
@config_option
def serve(config: Path | None) -> None:
    """Run the relay: a receiver and a worker.

    This process holds the sockets and restarts a child that dies or hangs.
    """
    from relay.service.child_process import ChildProcess

    with ChildProcess("receiver") as receiver:  # loads its program while the configuration is read
        from relay.service.serve import run_serve

        def run(loaded: Loaded) -> None:
            loaded.require_files()
            for warning in loaded.placeholders():
                _warn("supervisor", loaded.settings.log, warning)
            run_serve(loaded, config, receiver)

        _run("supervisor", config, run)


@click.command()
@config_option
def receive(config: Path | None) -> None:
    """Run the receiver alone. It accepts mail into the spool."""
    from relay.service.serve import run_receiver

    _run("receiver", config, lambda loaded: run_receiver(loaded.require_files("smtp")))


@click.command()
@config_option
def work(config: Path | None) -> None:
    """Run the worker alone. It ingests the spool, sends digests and serves the pages."""
    from relay.service.worker import run_alone

    _run("worker", config, lambda loaded: run_alone(loaded.require_files("upstream", "http", "storage")))


def _run(role: str, config: Path | None, run: Callable[[Loaded], None]) -> None:
    """Read the configuration and run a process with it. A log in JSON gets also what would be printed otherwise."""
    from relay.config.loader import load, log_settings
    from relay.errors import ConfigError

    try:
        loaded = load(config)
    except ConfigError:
        log = log_settings(config)
        with _logged(role, log):
            raise
    with _logged(role, loaded.settings.log):
        for warning in loaded.warnings:
            _warn(role, loaded.settings.log, warning)
        run(loaded)


@contextmanager
def _logged(role: str, log: Log) -> Iterator[None]:
    """Log an error that ends this process, if the log is in JSON; otherwise the command line prints it."""
    try:
        yield
    except Exception as error:
        if log.format == "json":
            from relay.service import logs

            logs.configure(role, log.format, log.level)
            logs.exit_after(error)
        raise


def _warn(role: str, log: Log, warning: str) -> None:
    if log.format == "json":
        from relay.service import logs

        logs.configure(role, log.format, log.level)
        logs.warn(warning)
    else:
        click.echo(f"warning: {warning}", err=True)
