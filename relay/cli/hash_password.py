"""`hash-password`: what to write for `smtp.password`, so that nobody who reads it learns the password."""

from __future__ import annotations

import sys

import click


@click.command("hash-password")
def hash_password() -> None:
    """Ask for a password (or read it from standard input) and print its hash, to be set as smtp.password."""
    from relay.receive.passwords import make_hash

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("an empty password keeps nobody out")
    click.echo(make_hash(password))
