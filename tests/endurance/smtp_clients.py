"""Run real SMTP clients against the relay: each has to deliver, with TLS, AUTH and DSN where it can ask for them.

    python -m tests.endurance.smtp_clients [--write]     (`make test-clients`; `sh .ci/clients` installs them first)

Prints one line for each client. A client that is not installed is skipped by name. Exits with 1 if one fails.
`--write` stores the result in `tests/data/smtp_clients.tsv`, from which docs/smtp-dialogs.md is written.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import trustme

from relay.receive import Access, Limits
from relay.receive.passwords import make_hash
from tests.endurance.smtp_client_commands import CLIENTS, Client, Target
from tests.support.paths import DATA
from tests.support.receiving import RunningReceiver, receiving

RESULTS = DATA / "smtp_clients.tsv"
MODES = ("plain", "TLS", "AUTH", "DSN")
TIMEOUT = 90
CACHE = Path(os.environ.get("SMTP_CLIENTS", "build/smtp-clients")).absolute()
"""Where `.ci/clients` unpacks what must not be installed, since it would replace the machine's mail server."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all clients in all modes, and print what they did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the results for the page")
    options = parser.parse_args(arguments)
    with servers() as running:
        rows = [(client.name, client.version_of(CACHE), run(client, running)) for client in CLIENTS]
    for name, version, results in rows:
        print(f"{name:28} {version[:40]:40} {', '.join(f'{mode} {results[mode]}' for mode in MODES if results[mode])}")
    tried = [results for _, _, results in rows if "skipped" not in results.values()]
    failed = [name for name, _, results in rows if "failed" in results.values()]
    print(f"{len(tried) - len(failed)} of {len(tried)} clients deliver; {len(rows) - len(tried)} are not installed")
    if options.write:
        lines = ["\t".join([name, version, *(results[mode] for mode in MODES)]) for name, version, results in rows]
        RESULTS.write_text("\n".join(lines) + "\n", "utf-8")
    return bool(failed)


@contextlib.contextmanager
def servers() -> Iterator[dict[str, tuple[RunningReceiver, Target]]]:
    """Run a receiver for each mode; DSN needs no other one than plain."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = trustme.CA()
        certificate, ca_file = folder / "certificate.pem", folder / "ca.pem"
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        authority.cert_pem.write_to_path(ca_file)
        folder.chmod(0o755)  # Exim reads the authority as another user
        ca_file.chmod(0o644)
        accesses = {
            "plain": Access(),
            "TLS": Access(tls_cert=str(certificate)),
            "AUTH": Access(username="app", password=make_hash("secret")),
            "DSN": Access(),
        }
        limits = Limits(hostname="localhost")
        started = {mode: stack.enter_context(receiving(folder / mode, limits, each)) for mode, each in accesses.items()}
        yield {mode: (each, Target(mode, each.port, ca_file, CACHE)) for mode, each in started.items()}


def run(client: Client, running: dict[str, tuple[RunningReceiver, Target]]) -> dict[str, str]:
    """Return `delivers`, `failed`, `skipped` (not installed) or "" (cannot ask for it) for each mode."""
    results = dict.fromkeys(MODES, "")
    if not client.installed(CACHE):
        return {**results, "plain": "skipped"}
    for mode in client.modes:
        receiver, target = running[mode]
        before = len(receiver.records())
        with tempfile.TemporaryDirectory() as folder:
            message = attempt(client, target, Path(folder))
        delivered = len(receiver.records()) == before + 1 and b"order 4711" in receiver.contents()[-1]
        results[mode] = "delivers" if delivered else "failed"
        if not delivered:
            print(f"{client.name} ({mode}): {message}", file=sys.stderr)
    return results


def attempt(client: Client, target: Target, folder: Path) -> str:
    """Run the client once. Returns what it printed."""
    command = client.command(target, folder)
    environment = {**os.environ, "HOME": str(folder), "SSL_CERT_FILE": str(target.ca_file)}
    try:
        done = subprocess.run(
            command,
            input=client.stdin,
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT} s"
    except OSError as error:
        return str(error)
    return (done.stdout + done.stderr).decode("utf-8", "replace").strip()[-600:]


if __name__ == "__main__":
    sys.exit(main())
