r"""SMTP dialogs in files (`data/dialogs/*.txt`): what a client sends, the expected replies, the expected stored mails.

The first line is a title. Each further line is one of these:

    with: locked          the server's setup: open (the default), locked, tls, tls-first
    > NOOP                send this and CRLF
    | a\r\n               send exactly this, with escapes as in Python's bytes
    | 500 * x             send it so many times
    half                  close the client's sending half
    tls                   run the TLS handshake
    < 250 2\.0\.0         the next reply, its lines joined by a newline, begins with this regular expression
    end                   the server closes the connection without another reply
    = a\r\n               a mail with exactly this content was stored: one line for each mail, in order
    = 500 * x             likewise, so many times
    aiosmtpd: reason      why bare aiosmtpd replies differently; likewise `postfix:`
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import DATA

FOLDER = DATA / "dialogs"
SILENCE = "(silence)"
END = "(end)"
PEERS = ("aiosmtpd", "postfix")


@dataclass
class Dialog:
    """One dialog file, parsed."""

    name: str
    title: str
    setup: str = "open"
    steps: list[tuple[str, str]] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)


def load(file: Path) -> Dialog:
    """Parse a file. Raises ValueError for an unknown line."""
    title, *lines = file.read_text("ascii").splitlines()
    dialog = Dialog(file.stem, title)
    for line in filter(None, lines):
        kind, _, rest = line.partition(" ")
        if kind in {">", "|", "<", "half", "tls", "end"}:
            dialog.steps.append((kind, rest))
        elif kind == "=":
            dialog.stored.append(raw(rest))
        elif kind == "with:":
            dialog.setup = rest
        elif kind.removesuffix(":") in PEERS:
            dialog.reasons[kind.removesuffix(":")] = rest
        else:
            raise ValueError(f"{file.name}: {line!r}")
    return dialog


def load_all() -> list[Dialog]:
    """Return all dialogs by name."""
    return [load(file) for file in sorted(FOLDER.glob("*.txt"))]


def raw(text: str) -> bytes:
    """Return the bytes that a line of a file stands for."""
    data = b""
    for part in re.split(r" \+ ", text):
        times = re.match(r"(\d+) \* ", part)
        unit = part[times.end() :] if times else part
        data += unit.encode("ascii").decode("unicode_escape").encode("latin-1") * (int(times[1]) if times else 1)
    return data


class Player:
    """Plays a dialog's client to a server on a loopback port."""

    def __init__(self, port: int, *, timeout: float, tls_first: bool = False) -> None:
        """Wait `timeout` seconds for each reply."""
        self._timeout = timeout
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        if tls_first:
            self._shake_hands()

    def play(self, dialog: Dialog) -> list[str]:
        """Return the reply for each step that expects one (SILENCE, END); after a close every further one is END."""
        found = []
        for kind, rest in dialog.steps:
            if kind in {"<", "end"}:
                found.append(self._reply())
            else:
                with contextlib.suppress(OSError):
                    self._act(kind, rest)
        return found

    def _act(self, kind: str, rest: str) -> None:
        if kind == ">":
            self._socket.sendall(raw(rest) + b"\r\n")
        elif kind == "|":
            self._socket.sendall(raw(rest))
        elif kind == "half":
            self._socket.shutdown(socket.SHUT_WR)
        else:
            self._shake_hands()

    def _shake_hands(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # another test checks the certificate
        self._socket = context.wrap_socket(self._socket)

    def _reply(self) -> str:
        lines: list[str] = []
        while True:
            line = self._line()
            if line in {SILENCE, END}:
                return line
            lines.append(line)
            if not re.match(r"\d{3}-", line):
                return "\n".join(lines)

    def _line(self) -> str:
        while b"\n" not in self._rest:
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                return SILENCE
            except OSError:
                more = b""
            if not more:
                return END
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.removesuffix(b"\r").decode("ascii", "replace")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def code_of(pattern: str) -> str:
    """Return the part of an expression that stands for the three digits of a reply."""
    found = re.search(r"(?:\d|\\d|\(\d+(?:\|(?:\d|\\d)+)*\)|\[\d+(?:-\d)?\])+", pattern)
    return found[0] if found else ""


def differences(dialog: Dialog, found: list[str], *, codes_alone: bool = False) -> list[str]:
    """Describe each reply that differs from the dialog; [] if none does. `codes_alone`: compare only the codes."""
    wanted = [(kind, code_of(rest) if codes_alone else rest) for kind, rest in dialog.steps if kind in {"<", "end"}]
    wrong = []
    for (kind, pattern), reply in zip(wanted, found, strict=True):
        if not (reply == END if kind == "end" else reply not in {END, SILENCE} and re.match(pattern, reply)):
            wrong.append(f"{pattern or END!r} was expected, {reply[:200]!r} came")
    return wrong
