"""The units in docs/ are what systemd understands."""

import re
import shutil
import subprocess

import pytest

from tests.support.paths import DOCS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units_without_a_word(tmp_path):
    for unit in DOCS.glob("error-mail-relay.*"):
        text = unit.read_text()
        (tmp_path / unit.name).write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text))
    units = sorted(tmp_path.iterdir())

    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False, timeout=60
    )

    assert [unit.suffix for unit in units] == [".service", ".socket"]
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_configuration_error_is_not_retried_and_no_number_of_starts_closes_the_socket():
    """Exit code 2 stays the reason of the failure; at the start limit systemd would fail the socket too."""
    unit = (DOCS / "error-mail-relay.service").read_text()
    head, _, service = unit.partition("[Service]")

    assert "\nRestartPreventExitStatus=2\n" in service
    assert "\nStartLimitIntervalSec=0\n" in head
