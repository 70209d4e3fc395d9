"""A group of commands whose help shows each summary in full, and which names the nearest command for an unknown one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

_LONGEST_SUMMARY = 1000
"""Characters of a summary: click cuts at 45 by default."""


class CommandGroup(click.Group):
    """A group of commands; `sections` puts them under headings by what they are for."""

    sections: Mapping[str, Sequence[str]] = {}
    """The names of the commands by heading. A command in no section comes first, under `Commands`."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their whole summaries, aligned over all sections."""
        names = self.list_commands(ctx)
        width = max(map(len, names), default=0)
        for heading, listed in self._sections(names):
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), self._summary(ctx, name)) for name in listed])

    def _sections(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
        grouped = {name for listed in self.sections.values() for name in listed}
        if rest := [name for name in names if name not in grouped]:
            yield "Commands", rest
        yield from self.sections.items()

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(_LONGEST_SUMMARY) if command else ""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with. Raises UsageError that names the nearest one."""
        name = args[0]
        names = self.list_commands(ctx)
        if name in names or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)

        import difflib

        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"`{ctx.command_path} --help` lists them."
        raise click.UsageError(f"there is no command {name}; {hint}", ctx)
