"""The progress of a long command on standard error, so that what it prints stays clean for a file or a pipe."""

from __future__ import annotations

from typing import TextIO

from relay.humanize import counted

_STEPS = 10
"""Lines in a log or a file: one for each tenth."""
_WORTH_A_LINE = 1000
"""Mails. Fewer are done at once, and would only fill a log."""


class Progress:
    """On a terminal one line that changes; elsewhere a line for each tenth, if there is much to do."""

    def __init__(self, out: TextIO) -> None:
        """Write to `out`."""
        self._out = out
        self._terminal = out.isatty()
        self._step = 0
        self._width = 0

    def show(self, text: str) -> None:
        """Show what is being done, on a terminal."""
        if self._terminal:
            self._rewrite(text)

    def count(self, done: int, total: int) -> None:
        """Show that `done` of `total` mails are done."""
        step = done * _STEPS // total if total else _STEPS
        text = f"replayed {done:,} of {counted(total, 'mail')}"
        if self._terminal:
            self._rewrite(text)
        elif step > self._step and total >= _WORTH_A_LINE:
            print(text, file=self._out, flush=True)
        self._step = step

    def end(self) -> None:
        """Remove the line from the terminal."""
        if self._terminal:
            self._rewrite("")
            self._out.write("\r")
            self._out.flush()

    def _rewrite(self, text: str) -> None:
        self._out.write("\r" + text.ljust(self._width))
        self._out.flush()
        self._width = len(text)
