"""The command line: `relay COMMAND`.

Exit codes: 0 success, 1 the answer is no or the command failed, 2 wrong usage or configuration.

    serve          serve, receive, work
    health         health
    check          check
    status         status
    groups         groups, show, mute, unmute
    steering       merge, unmerge, split, unsplit, rules list, rules export, similar, audit
    plan           plan
    render         render
    explain        explain, fingerprint, regroup
    outbox         outbox list, outbox retry, outbox drop
    send_test      send-test
    login          login
    canary         canary
    replay         replay
    backup         backup, restore, repair
    hash_password  hash-password
    certificate    certificate
    completion     completion

A command's module is imported when the command is called, because importing all of them takes over a second.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys

import click

from relay import __version__
from relay.cli.command_group import CommandGroup
from relay.errors import ConfigError, RelayError

_SECTIONS = {
    "Set up": {
        "check": "check",
        "login": "login",
        "send-test": "send_test",
        "canary": "canary",
        "hash-password": "hash_password",
        "certificate": "certificate",
        "completion": "completion",
    },
    "Run": {
        "serve": "serve",
        "receive": "serve",
        "work": "serve",
        "health": "health",
    },
    "See what happens": {
        "status": "status",
        "groups": "groups",
        "show": "groups",
        "similar": "steering",
        "rules": "steering",
        "audit": "steering",
        "plan": "plan",
        "render": "render",
    },
    "Intervene": {
        "mute": "groups",
        "unmute": "groups",
        "merge": "steering",
        "unmerge": "steering",
        "split": "steering",
        "unsplit": "steering",
        "outbox": "outbox",
    },
    "Find out which mails are the same error": {
        "explain": "explain",
        "fingerprint": "explain",
        "regroup": "explain",
        "replay": "replay",
    },
    "Keep the state safe": {
        "backup": "backup",
        "restore": "backup",
        "repair": "backup",
    },
}
"""The commands by what they are for, and the module of each."""
_COMMANDS = {name: module for section in _SECTIONS.values() for name, module in section.items()}


_GARBAGE_THRESHOLD = 50_000
"""New objects after which Python looks for cyclic garbage. Its default of 700 (2,000 in Python 3.13) costs a command a
fifth of its time: loading the libraries creates many objects and hardly any garbage."""


class _LazyGroup(CommandGroup):
    """Imports a command's module on demand, and turns a RelayError into its message and exit code."""

    sections = {heading: tuple(section) for heading, section in _SECTIONS.items()}  # noqa: RUF012 -- never changed

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"relay.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> object:
        gc.set_threshold(_GARBAGE_THRESHOLD, *gc.get_threshold()[1:])
        atexit.register(gc.freeze)  # else Python looks through all objects twice before it exits: 0.1 s
        try:
            return super().invoke(ctx)
        except RelayError as error:
            click.echo(str(error), err=True)
            ctx.exit(2 if isinstance(error, ConfigError) else 1)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="error-mail-relay", message="%(version)s")
def main() -> None:
    """Accept every error mail at once, lose none, and send the admins digests with exact counts."""


if __name__ == "__main__":
    sys.exit(main())
