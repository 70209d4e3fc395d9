"""`completion`: print the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

from relay.errors import RelayError

_PROGRAM = "relay"
_VARIABLE = "_RELAY_COMPLETE"
"""The variable through which the script asks the command for completions; click derives the same name."""


class CompletionError(RelayError):
    """There is no script for this shell."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For this session: eval "$(relay completion bash)". docs/operations.md says how to install it.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise CompletionError(f"there is no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
