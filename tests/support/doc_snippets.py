"""The code blocks of a page in docs/, by heading; and a program of a page, run as a user would run it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import DOCS, ROOT
from tests.support.smtp_sinks import ReceivedMail, Sink, wait_until

SERVER_TIMEOUT = 60.0
"""Seconds until a test fails that waits for a server or a worker. A busy machine takes many seconds to start one."""

_HEADING_OR_BLOCK = re.compile(
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```$|^#+ (?P<heading>[^\n]*)$", re.MULTILINE | re.DOTALL
)


def snippets(page: str) -> dict[str, str]:
    """Return the fenced blocks of `docs/PAGE`, by heading, number within the section, and language.

    The key of the second block below "## Files", written in TOML, is "Files 2 toml".
    """
    found, heading, number = {}, "", 0
    for part in _HEADING_OR_BLOCK.finditer((DOCS / page).read_text()):
        if part["heading"] is not None:
            heading, number = part["heading"], 0
        else:
            number += 1
            found[f"{heading} {number} {part['language']}"] = part["code"]
    return found


def replaced(code: str, values: Mapping[str, str]) -> str:
    """Return the snippet with the addresses of the test. Raises AssertionError if it has none of these texts."""
    for documented, here in values.items():
        assert documented in code, f"the snippet does not contain {documented!r}"
        code = code.replace(documented, here)
    return code


def environ(folder: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a user's program in `folder`, with the packages of this checkout."""
    path = os.pathsep.join(filter(None, [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    bins = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PYTHONPATH": path, "PATH": bins, "PYTHONUNBUFFERED": "1"} | variables


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder` to its end."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environ(folder, **variables),
        text=True,
        capture_output=True,
        check=False,
        timeout=SERVER_TIMEOUT,
    )


@contextmanager
def running(command: list[str], folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a server in `folder`; yield its process and the file with its output. Ends it with SIGTERM."""
    log = folder / "output.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environ(folder, **variables), stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield process, log
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(SERVER_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def received(sink: Sink, number: int) -> list[ReceivedMail]:
    """Wait until `number` mails have come; return all of them."""
    wait_until(lambda: len(sink.mails) >= number, SERVER_TIMEOUT)
    return sink.mails
