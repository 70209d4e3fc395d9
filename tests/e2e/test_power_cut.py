"""Power cuts: the order of writes, syncs and replies in the real receiver and worker, traced in the kernel."""

from __future__ import annotations

import re
import shutil
import signal
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from relay.receive import replies
from tests.support.processes import Relay, wait_for

pytestmark = pytest.mark.e2e
STORED = replies.STORED.decode().strip()
CALLS = "openat,close,write,pwrite64,sendto,sendmsg,fsync,fdatasync,rename,unlink,unlinkat,ftruncate"
LINE = re.compile(r"^\d+ +(?:\d+\.\d+ )?(\w+)\((.*)\) += (-?\d+)")


class Call(NamedTuple):
    name: str
    arguments: str
    result: int

    def on(self, name: str, path: str) -> bool:
        return re.fullmatch(name, self.name) is not None and path in self.arguments and self.result >= 0


@contextmanager
def traced(process: int, out: Path) -> Iterator[None]:
    """Trace the system calls of a process and its threads, with the files they use."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (Debian: apt-get install strace)")
    command = [strace, "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-o", str(out), "-p", str(process)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        output = tracer.stderr.readline()
        if "attached" not in output:
            tracer.kill()
            pytest.skip(f"strace may not attach here: {output.strip()}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()


def calls(out: Path) -> list[Call]:
    """Return the calls in the order in which they ended; join a call that another thread's interrupted."""
    begun: dict[str, str] = {}
    found = []
    for raw in out.read_text("utf-8", "replace").splitlines():
        thread = raw.split(maxsplit=1)[0]
        line = raw
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
            continue
        if resumed := re.search(r"<\.\.\. \w+ resumed>", line):
            line = begun.pop(thread, "") + line[resumed.end() :]
        if match := LINE.match(line):
            found.append(Call(match[1], match[2], int(match[3])))
    return found


def index(found: list[Call], name: str, path: str, start: int = 0) -> int:
    """Return the index of the first such call from `start` on; fail if there is none."""
    for number in range(start, len(found)):
        if found[number].on(name, path):
            return number
    raise AssertionError(f"no {name} on {path!r} from call {start} on, in:\n" + "\n".join(map(str, found[start:])))


def test_250_is_sent_after_the_mail_and_the_file_name_are_synced(tmp_path: Path):
    """Both in an existing segment and in a new one, whose name is synced too."""
    relay = Relay(tmp_path / "relay")
    with relay, smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=60) as client:
        client.ehlo()
        with traced(relay.child("receiver"), tmp_path / "trace"):
            client.sendmail("app@example.com", ["a@example.com"], "Subject: one\r\n\r\nMARK-ONE\r\n")
            for _ in range(45):  # 213 kB each: more than the 8 MiB of a segment
                client.sendmail(
                    "app@example.com", ["a@example.com"], "Subject: big\r\n\r\n" + ("y" * 70 + "\r\n") * 3000
                )
            client.sendmail("app@example.com", ["a@example.com"], "Subject: last\r\n\r\nMARK-TWO\r\n")
    found = calls(tmp_path / "trace")
    answers = [number for number, call in enumerate(found) if f'"{STORED}' in call.arguments]
    written = [number for number, call in enumerate(found) if call.on("pwrite64", ".segment")]
    assert len(written) == len(answers) == 47
    for number in written:
        synced = index(found, "fdatasync|fsync", ".segment", number)
        assert synced < min(each for each in answers if each > number), "a reply before the sync"
    rolled = index(found, "rename", ".segment")
    head = max(number for number in range(rolled) if found[number].on("pwrite64", "/spool/new"))
    assert head < index(found, "fdatasync|fsync", "/spool/new", head) < rolled, "a rename before the sync"
    assert rolled < index(found, "fsync", "/spool>", rolled) < index(found, "pwrite64", ".segment", rolled)


def test_segment_is_removed_after_the_commit_of_its_mails_is_synced(tmp_path: Path):
    relay = Relay(tmp_path / "relay")
    with relay:
        wait_for(lambda: relay.run("health").returncode == 0, "the relay to be healthy")
        with traced(relay.child("worker"), tmp_path / "trace"):
            with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=60) as client:
                client.sendmail("app@example.com", ["a@example.com"], "Subject: one\r\n\r\nit broke\r\n")
            wait_for(lambda: relay.status()["received"] == 1, "the mail to be ingested")
            relay.kill("receiver")  # the next one begins a segment
            with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=60) as client:
                client.sendmail("app@example.com", ["a@example.com"], "Subject: two\r\n\r\nit broke\r\n")
            wait_for(lambda: relay.status()["received"] == 2, "the second mail to be ingested")
            wait_for(
                lambda: len(list((relay.data / "spool").glob("*.segment"))) == 1, "the first segment to be removed"
            )
    found = calls(tmp_path / "trace")
    removed = index(found, "unlink|unlinkat", ".segment")
    cleared = max(number for number in range(removed) if found[number].on("pwrite64", "/spool/claim"))
    synced = [number for number in range(cleared) if found[number].on("fdatasync|fsync", "ledger.db-wal")]
    logged = [number for number in range(cleared) if found[number].on("pwrite64", "ledger.db-wal")]

    assert max(logged) < max(synced) < cleared < removed, "the poison guard is not cleared between commit and removal"
