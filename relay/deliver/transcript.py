"""The SMTP dialogue as lines to show (`relay send-test --verbose`), without the credentials and without the content."""

from __future__ import annotations

from collections.abc import Callable

Show = Callable[[str], None]
"""Shows one line."""


class Transcript:
    """Writes each command as `C: …` and each line of a reply as `S: …`.

    What a client sends during AUTH is never shown, whatever its encoding. `scrub` masks what the server repeats of it.
    """

    def __init__(self, show: Show, scrub: Callable[[str], str]) -> None:
        self._show = show
        self._scrub = scrub
        self._in_auth = False

    def sent(self, command: bytes) -> None:
        """Show one command line."""
        line = command.decode("utf-8", "replace").rstrip("\r\n")
        words = line.split(" ")
        if self._in_auth:
            line = "***"
        elif words[0].upper() == "AUTH":
            self._in_auth = True
            line = " ".join([*words[:2], *(["***"] if words[2:] else [])])
        self._show(f"C: {line}")

    def sent_content(self, size: int) -> None:
        """Show that the content was sent."""
        self._show(f"C: [{size:,} bytes of content, then the final dot]")

    def received(self, reply: bytes) -> None:
        """Show the lines of one reply."""
        lines = reply.decode("utf-8", "replace").splitlines()
        self._in_auth = self._in_auth and bool(lines) and lines[-1].startswith("334")
        for line in lines:
            self._show(f"S: {line[:4]}{self._scrub(line[4:])}")
