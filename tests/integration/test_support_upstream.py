"""The tests' own mail server as a process: what end-to-end tests build on."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relay import config
from relay.deliver import Upstream
from relay.model import Attempt, Verdict
from tests.support.paths import ROOT
from tests.support.upstream import read_folder

RAW = b"Message-ID: <1@example.org>\r\nSubject: n\xc3\xa4ws\r\n\r\n.dot\r\n"


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.upstream", str(folder), "--user", "relay:s3cret", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def deliver(where: dict[str, Any]) -> Attempt:
    secured = {"username": "relay", "password": "s3cret", "timeout": "10s"}
    target = Upstream(config.Upstream.model_validate({**where, **secured}))
    return target.deliver(RAW, sender="a@example.org", recipients=["b@example.org"], before_data=lambda: None)


def test_accepted_mails_are_in_its_folder_also_over_restarts(tmp_path: Path) -> None:
    with serving(tmp_path) as where:
        attempt = deliver(where)
        assert attempt.replies["b@example.org"].verdict is Verdict.ACCEPTED, attempt
    with serving(tmp_path, "--port", str(where["port"]), "--say", "DOT=451 4.3.0 later") as again:
        assert again == where
        assert deliver(again).replies["b@example.org"].code == 451

    [mail] = read_folder(tmp_path)
    assert (mail.sender, mail.recipients, mail.user, mail.tls) == ("a@example.org", ("b@example.org",), "relay", True)
    assert mail.raw == RAW
