"""`serve`, `receive`, `work`: start the processes.

This module imports almost nothing, so that mail is accepted as early as possible.
"""

from __future__ import annotations

from pathlib import Path

import click

from relay.cli.options import config_option, load_config


@click.command()
@config_option
def serve(config: Path | None) -> None:
    """Run the relay: a receiver and a worker.

    This process holds the sockets and restarts a child that dies or hangs.
    """
    from relay.service.child_process import ChildProcess

    with ChildProcess("receiver") as receiver:  # loads its program while the configuration is read
        from relay.service.serve import run_serve

        loaded = load_config(config)
        loaded.require_files()
        for warning in loaded.placeholders():
            click.echo(f"warning: {warning}", err=True)
        run_serve(loaded, config, receiver)


@click.command()
@config_option
def receive(config: Path | None) -> None:
    """Run the receiver alone. It accepts mail into the spool."""
    from relay.service.serve import run_receiver

    run_receiver(load_config(config).require_files("smtp"))


@click.command()
@config_option
def work(config: Path | None) -> None:
    """Run the worker alone. It ingests the spool, sends digests and serves the pages."""
    from relay.service.worker import run_alone

    run_alone(load_config(config).require_files("upstream", "http", "storage"))
