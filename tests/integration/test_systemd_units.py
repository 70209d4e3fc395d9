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
