"""Run programs that log to the client's handler, each in a separate interpreter."""

import subprocess
import sys
import textwrap

from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT

PRELUDE = """
import logging, os, sys, threading
from app_client import ErrorMailHandler

handler = ErrorMailHandler(sys.argv[1], "a@example.com", ["b@example.com"], "Failed", exit_timeout=float(sys.argv[2]))
logger = logging.getLogger("yourapplication")
logger.propagate = False
logger.addHandler(handler)
"""


def start(script: str, mailhost: tuple[str, int], exit_timeout: float = TIMEOUT) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), "{}:{}".format(*mailhost), str(exit_timeout)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(script: str, mailhost: tuple[str, int], exit_timeout: float = TIMEOUT) -> subprocess.CompletedProcess:
    with start(script, mailhost, exit_timeout) as process:
        try:
            output, errors = process.communicate(timeout=3 * TIMEOUT)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def first_line(process: subprocess.Popen) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
