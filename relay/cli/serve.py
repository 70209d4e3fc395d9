"""`serve`, `receive`, `work`: the processes. Imports next to nothing: mail is to be taken as soon as can be."""

from __future__ import annotations

from pathlib import Path

import click

from relay.cli.options import config_option, loaded


@click.command()
@config_option
def serve(config: Path | None) -> None:
    """Run the relay: hold the sockets, keep a receiver and a worker running."""
    from relay.service.child_process import Process

    with Process("receiver") as receiver:  # it loads its program while the configuration is read
        from relay.service.serve import run_serve

        run_serve(loaded(config), config, receiver)


@click.command()
@config_option
def receive(config: Path | None) -> None:
    """Run the receiver alone: take mail into the spool."""
    from relay.service.serve import run_receiver

    run_receiver(loaded(config).settings)


@click.command()
@config_option
def work(config: Path | None) -> None:
    """Run the worker alone: sort the spool, send digests, show the pages."""
    from relay.service.worker import run_alone

    run_alone(loaded(config).settings)
