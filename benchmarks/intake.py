"""Intake: mails a second, side by side in one run, each peer in turn, medians over the rounds.

    python -m benchmarks.intake [--rounds N] [--scale F] [--json FILE]

The relay is `relay serve` with its worker at work, 250 after the sync; what it is compared with:
`benchmarks.harness.peers`, and Postfix where it is installed, each beside a worker that sorts as many mails. The load
is Postfix's smtp-source (8 sessions, 2 KiB), else `benchmarks.harness.load`, which also does STARTTLS. Exit code 1
where a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.harness import postfix
from benchmarks.harness.background import BusyWorker, settle
from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.relays import MeasuredRelay

Rates = dict[str, dict[str, list[float]]]
"""Way of sending -> peer -> mails a second, one for each round."""

WAYS = ("each", "kept", "starttls kept", "starttls each")
MAILS = {"aiosmtpd": 1500, "postfix": 1500, "protocol": 6000, "durable": 4000, "relay": 4000}
PLAIN_ONLY = ("postfix",)
STORM = 20_000
"""Mails of the storm after which the worker has to catch up."""
TARGETS = (
    ("each", "aiosmtpd", 4.0),
    ("each", "postfix", 4.0),
    ("kept", "aiosmtpd", 5.0),
    ("each", "protocol", 0.4),
    ("kept", "protocol", 0.4),
    ("each", "durable", 0.6),
    ("kept", "durable", 0.6),
    ("starttls kept", "aiosmtpd", 3.0),
)
"""The relay's rate is to be at least so many times the peer's."""


def main() -> int:
    """Measure, print, judge."""
    return report(__doc__, _measured, options_of=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of mails")


def _measured(options: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="intake-") as folder, peers(Path(folder)) as (ports, prepare):
        rates = measure(ports, prepare, options.rounds, options.scale)
    for way, row in rates.items():
        for name, found in row.items():
            if found:
                spread = f"{min(found):,.0f} to {max(found):,.0f}"
                yield Figure(name=f"{way}: {name}", value=statistics.median(found), unit="mails/s", note=spread)
    for way, name, target in TARGETS:
        others = rates[way].get(name)
        if others:
            ratio = statistics.median(ours / theirs for ours, theirs in zip(rates[way]["relay"], others, strict=True))
            yield judged(f"intake, {way}: the relay to {name}", ratio, "×", least=target)
    with tempfile.TemporaryDirectory(prefix="storm-") as folder, MeasuredRelay(Path(folder)) as relay:
        relay.shown()
        yield catch_up(relay, int(STORM * options.scale))


def catch_up(relay: MeasuredRelay, mails: int) -> Figure:
    """Measure how long the worker still ingests after a storm at full load, as a multiple of the storm's length."""
    storm = send(relay.smtp, mails, "kept")
    ended = time.monotonic()
    while (left := relay.metric("relay_spool_unsorted_mails")) or relay.received() < mails:
        assert time.monotonic() < ended + 10 * storm + 60, f"{left:.0f} mails are left"
        time.sleep(0.1)
    after = time.monotonic() - ended
    return judged(
        "sorted after a storm's end, by its length", after / storm, "×", most=2, note=f"{storm:.1f} s of storm"
    )


@contextlib.contextmanager
def peers(folder: Path) -> Iterator[tuple[dict[str, int], Callable[[str], None]]]:
    """Run them all at once, each idle but for its turn; give their ports, and what is to be called before a turn."""
    certificate = folder / "certificate.pem"
    make_certificate(certificate)
    with contextlib.ExitStack() as stack:
        ports = {}
        for kind in ("aiosmtpd", "protocol", "durable"):
            process = stack.enter_context(peer(kind, certificate))
            assert process.stdout
            ports[kind] = int(process.stdout.readline())
        if postfix.installed():
            running = postfix.running(folder / "postfix", certificate, max_size=1 << 20)
            ports["postfix"] = stack.enter_context(running)["plain"]
        relay = stack.enter_context(MeasuredRelay(folder / "relay", smtp__tls_cert=certificate))
        relay.shown()
        ports["relay"] = relay.smtp
        worker = stack.enter_context(BusyWorker(folder / "worker"))

        def prepare(name: str) -> None:
            settle(relay.data / "spool")
            if name == "relay":
                worker.rest()
            else:
                worker.begin()

        yield ports, prepare


@contextlib.contextmanager
def peer(kind: str, certificate: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of `benchmarks.harness.peers`."""
    command = [sys.executable, "-m", "benchmarks.harness.peers", kind, "--certificate", str(certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def make_certificate(file: Path) -> None:
    """Write a certificate with an ECDSA P-256 key, the cheapest handshake in use."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(2)
    )
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + pem)


def measure(ports: dict[str, int], prepare: Callable[[str], None], rounds: int, scale: float) -> Rates:
    """All peers in turn, again and again, so that a busy moment of the machine meets all alike."""
    rates: Rates = {way: {name: [] for name in ports} for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            for name, port in ports.items():
                if way.startswith("starttls") and name in PLAIN_ONLY:
                    continue
                mails = int(MAILS[name] * scale) // (4 if way == "starttls each" else 1)
                prepare(name)
                rates[way][name].append(mails / send(port, mails, way))
    return rates


def send(port: int, mails: int, way: str) -> float:
    """Return the seconds that so many mails take. Raises CalledProcessError where one is refused."""
    kept = way.endswith("kept")
    if way.startswith("starttls") or not shutil.which("smtp-source"):
        command = [sys.executable, "-m", "benchmarks.harness.load", str(port), "--mails", str(mails)]
        command += ["--kept"] * kept + ["--starttls"] * way.startswith("starttls")
        done = subprocess.run(command, check=True, capture_output=True)
        return float(json.loads(done.stdout)["seconds"])
    command = ["smtp-source", "-s", "8", "-l", "2048", "-m", str(mails), "-f", "a@example.com", "-t", "b@example.com"]
    began = time.monotonic()
    subprocess.run([*command, *["-d"] * kept, f"inet:127.0.0.1:{port}"], check=True, capture_output=True)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
