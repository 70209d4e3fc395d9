"""`hash-password`: print the hash of a password, to be set as `smtp.password` instead of the password itself."""

from __future__ import annotations

import sys

import click


@click.command("hash-password")
def hash_password() -> None:
    """Print the hash of a password, for smtp.password.

    Asks for the password, or reads it from standard input.
    """
    from relay.receive.passwords import make_hash

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("an empty password keeps nobody out")
    click.echo(make_hash(password))
