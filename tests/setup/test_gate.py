"""The gate `.ci/run` runs the commands of the README, and no test uses a default port of this machine."""

from __future__ import annotations

import re
import socket

import pytest

from tests.support.paths import ROOT


def test_gate_runs_the_commands_of_the_readme():
    documented = re.findall(r"^    (make \S+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    run = re.findall(r"^make \S+$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)

    assert documented == ["make demo", "make test", "make run"]
    assert run == ["make demo", "make audit", "make test"]  # the tests last: their summary is the last line of the gate


@pytest.mark.parametrize("port", [25, 2525, 8026])
def test_test_that_uses_a_default_port_fails(port):
    """Otherwise the test would use a relay or a mail server that already runs on this machine."""
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match=f"default port {port}"):
        client.connect(("127.0.0.1", port))
