"""Play the SMTP dialogs to bare aiosmtpd, Postfix and the relay, and write the replies as a table.

    python -m tests.endurance.dialogs_page [--check]

Reads `tests/data/dialogs` and writes docs/smtp-dialogs.md. If a peer differs from the dialog, the dialog's file must
give the reason; the relay must not differ. Exits with 1 if there is a difference without a reason.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from benchmarks.harness import postfix
from relay.receive import Access, Limits
from relay.receive.passwords import make_hash
from tests.support.dialogs import END, SILENCE, Dialog, Player, differences, load_all
from tests.support.paths import DATA, DOCS
from tests.support.receiving import receiving
from tests.support.refusals import REFUSED

PAGE = DOCS / "smtp-dialogs.md"
MAX_SIZE = 1 << 20
TIMEOUT = 4.0
SETUPS = ("open", "locked", "tls", "tls-first")


@dataclass
class Server:
    """One server in one setup: its port, and the mails stored so far (None: unknown)."""

    port: int
    stored: Callable[[], list[bytes] | None]
    peer: bool = True
    """True for aiosmtpd and Postfix: only their codes are compared, not enhanced codes and texts."""


@dataclass
class Outcome:
    """The replies of a server, and whether they match the dialog."""

    codes: str
    same: bool


class Collector:
    """A handler for aiosmtpd that keeps all contents."""

    def __init__(self) -> None:
        self._contents: list[bytes] = []

    def contents(self) -> list[bytes] | None:
        """Return all contents received so far."""
        return self._contents

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 -- the library's interface
        """Accept a mail."""
        self._contents.append(envelope.original_content)
        return "250 OK"


def main() -> int:
    """Play the dialogs, compare, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    dialogs = load_all()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = folder / "certificate.pem"
        trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        peers = {
            "relay": dict(stack.enter_context(relays(folder, certificate))),
            "aiosmtpd": dict(stack.enter_context(aiosmtpds(certificate))),
            "postfix": dict(stack.enter_context(postfixes(folder / "postfix", certificate))),
        }
        table = [(dialog, {name: play(dialog, servers) for name, servers in peers.items()}) for dialog in dialogs]
    unexplained = [f"{dialog.name}: {name}" for dialog, row in table for name in unexplained_differences(dialog, row)]
    print("\n".join(unexplained) or "every difference has a reason")
    if not options.check:
        PAGE.write_text(page(table))
    return bool(unexplained)


def unexplained_differences(dialog: Dialog, row: dict[str, Outcome | None]) -> list[str]:
    """Return the servers that differ without a reason."""
    return [
        f"{name}: {outcome.codes}"
        for name, outcome in row.items()
        if outcome and not outcome.same and name not in dialog.reasons
    ]


def play(dialog: Dialog, servers: dict[str, Server]) -> Outcome | None:
    """Play one dialog to a server; return None if the server has no such setup."""
    server = servers.get(dialog.setup)
    if server is None:
        return None
    before = len(server.stored() or ())
    player = Player(server.port, timeout=TIMEOUT, tls_first=dialog.setup == "tls-first")
    try:
        replies = player.play(dialog)
    finally:
        player.close()
    stored = server.stored()
    same_mails = stored is None or stored[before:] == dialog.stored
    codes = " ".join(short_codes(replies)) + ("" if same_mails else ", other content")
    return Outcome(codes, same=not differences(dialog, replies, codes_alone=server.peer) and same_mails)


def short_codes(replies: list[str]) -> Iterator[str]:
    """Yield the codes; equal ones in a row as one."""
    codes = ["end" if reply == END else "silence" if reply == SILENCE else code(reply) for reply in replies]
    for each, run in itertools.groupby(codes):
        times = len(list(run))
        yield each if times == 1 else f"{times} × {each}"


def code(reply: str) -> str:
    """Return the code of a reply, with its enhanced code."""
    words = reply.rpartition("\n")[2].split(" ")
    enhanced = len(words) > 1 and words[1][:2] == f"{words[0][:1]}." and words[1].count(".") == 2
    return "/".join(words[:2]) if enhanced else words[0][:3]


# --- The servers ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def relays(folder: Path, certificate: Path) -> Iterator[dict[str, Server]]:
    """Run the relay's receiver in each setup."""
    tls = Access(tls_cert=str(certificate))
    accesses = {"open": Access(), "locked": Access(username="app", password=make_hash("secret")), "tls": tls}
    with contextlib.ExitStack() as stack:
        servers = {}
        for setup in SETUPS:
            first = setup == "tls-first"
            access = accesses.get(setup, tls)
            limits = Limits(max_size=MAX_SIZE, hostname="relay.example")
            running = stack.enter_context(receiving(folder / setup, limits, access, tls_first=first))
            servers[setup] = Server(running.port, running.contents, peer=False)
        yield servers


@contextlib.contextmanager
def aiosmtpds(certificate: Path) -> Iterator[dict[str, Server]]:
    """Run bare aiosmtpd, with a handler that keeps all contents."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    options: dict[str, dict] = {
        "open": {},
        "locked": {"auth_required": True, "auth_require_tls": False, "authenticator": authenticate},
        "tls": {"tls_context": context},
        "tls-first": {"ssl_context": context},
    }
    with contextlib.ExitStack() as stack:
        servers = {}
        for setup in SETUPS:
            handler = Collector()
            (port,) = postfix.free_ports(1)
            controller = Controller(
                handler, "127.0.0.1", port, data_size_limit=MAX_SIZE, enable_SMTPUTF8=True, **options[setup]
            )
            controller.start()
            stack.callback(controller.stop)
            servers[setup] = Server(port, handler.contents)
        yield servers


def authenticate(*asked: object) -> AuthResult:
    """Accept the one user; the last argument holds the credentials."""
    fine = asked[-1] == LoginPassword(b"app", b"secret")
    return AuthResult(success=fine, handled=False)


@contextlib.contextmanager
def postfixes(folder: Path, certificate: Path) -> Iterator[dict[str, Server]]:
    """Run Postfix if it is installed; without AUTH, which needs another server."""
    if not postfix.installed():
        print("Postfix is not installed: its column stays empty", file=sys.stderr)
        yield {}
        return
    with postfix.running(folder, certificate, max_size=MAX_SIZE) as ports:
        kinds = {"open": "plain", "tls": "starttls", "tls-first": "implicit"}
        yield {setup: Server(ports[kind], lambda: None) for setup, kind in kinds.items()}


# --- The page ---------------------------------------------------------------------------------------------------------

PAGE_HEAD = """\
# SMTP dialogs, case by case

The replies of the relay, of aiosmtpd 1.4.6 with its defaults and of Postfix (Debian's, which discards all mail) to the
same {count} dialogs of `tests/data/dialogs`. `python -m tests.endurance.dialogs_page` writes this page. A test checks
the relay's column.

Each cell has the codes of all replies in order. The greeting is first. `end` means that the server closes the
connection, `silence` that no reply came within {timeout:g} seconds. The cell of aiosmtpd or Postfix is empty if its
codes are those that the dialog expects. Otherwise it has the codes and the reason. aiosmtpd differs in {aiosmtpd}
cases, Postfix in {postfix} of {played}. Only the three digits of their codes are compared: aiosmtpd has hardly any
enhanced codes, and does not offer them either. Contents stored by Postfix are not compared. A dash: the case was not
played, since Postfix has no AUTH of its own.

## What is only a hint

Sender and recipients only say where a mail comes from: they never decide who gets it. So the relay accepts every path,
well-formed or not, with or without brackets, and every parameter.

- DSN (RFC 3461) is offered: some clients (msmtp) send nothing without it, others (PHPMailer, smtplib) use it unasked.
  `NOTIFY`, `RET`, `ENVID` and `ORCPT` are ignored: the relay notifies nobody, neither of success nor of failure.
- `SIZE` is checked against `smtp.max_size`. A value that is not a number is ignored: the content is measured anyway.
- `BODY`, `SMTPUTF8` and `AUTH` need nothing from the relay: it keeps content and addresses byte for byte.
- Every other parameter is ignored, known to RFCs or not, also after HELO. In particular the relay promises nothing for
  `REQUIRETLS`, `MT-PRIORITY`, `HOLDFOR` and similar, and does not offer them.
- Bytes of an address that are not UTF-8 become U+FFFD. Source routes are dropped.

## What is refused, and why

| reply | what | why |
|---|---|---|
{refused}

## Real clients

Programs and libraries that send through the relay, with the forms of security and DSN that they can ask for
(`make test-clients`). In every cell of a mail that was tried, it was delivered.

| client | version | plain | TLS | AUTH | DSN |
|---|---|---|---|---|---|
{clients}

## The dialogs

"""


def page(table: list[tuple[Dialog, dict[str, Outcome | None]]]) -> str:
    """Return the page as Markdown."""
    others = {
        name: sum(outcome is not None and not outcome.same for outcome in (row[name] for _, row in table))
        for name in ("aiosmtpd", "postfix")
    }
    played = sum(row["postfix"] is not None for _, row in table)
    tables = {"refused": rows(REFUSED), "clients": rows(clients())}
    text = PAGE_HEAD.format(count=len(table), timeout=TIMEOUT, played=played, **tables, **others)
    text += "| case | what it is about | relay | aiosmtpd | Postfix |\n|---|---|---|---|---|\n"
    for dialog, row in table:
        cells = [dialog.name, dialog.title, row["relay"].codes if row["relay"] else ""]
        cells += [cell(dialog, name, row[name]) for name in ("aiosmtpd", "postfix")]
        text += f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |\n"
    return text


def clients() -> tuple[tuple[str, ...], ...]:
    """Return the results of `tests.endurance.smtp_clients` that are stored, without the clients that were skipped."""
    lines = [line.split("\t") for line in (DATA / "smtp_clients.tsv").read_text("utf-8").splitlines()]
    return tuple((each[0], each[1], *(cell or "–" for cell in each[2:])) for each in lines if "skipped" not in each)


def rows(table: tuple[tuple[str, ...], ...]) -> str:
    """Return the rows of a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def cell(dialog: Dialog, name: str, outcome: Outcome | None) -> str:
    """Return the differing codes of one peer with the reason, "" if it does not differ."""
    if outcome is None:
        return "–"
    return "" if outcome.same else f"{outcome.codes}: {dialog.reasons.get(name, '?')}"


if __name__ == "__main__":
    sys.exit(main())
