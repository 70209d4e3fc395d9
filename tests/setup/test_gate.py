"""The gate runs what the README tells a newcomer to type, and no test depends on what else runs on the machine."""

from __future__ import annotations

import re
import socket

import pytest

from tests.support.paths import ROOT


def test_the_gate_runs_the_commands_of_the_readme():
    told = re.findall(r"^    (make \S+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    run = re.findall(r"^make \S+$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)

    assert told == ["make demo", "make test", "make run"]
    assert run == ["make demo", "make audit", "make test"]  # the tests last: their closing line is the gate's


@pytest.mark.parametrize("port", [25, 2525, 8026])
def test_a_test_that_uses_a_default_port_fails(port):
    """Where a relay runs already it would ask that one, and where a mail server does, that one."""
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match=f"default port {port}"):
        client.connect(("127.0.0.1", port))
