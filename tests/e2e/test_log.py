"""What the processes write before and while they run: with `log.format = "json"`, nothing but JSON."""

import json

import pytest

from tests.support.processes import Relay


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.e2e
def test_warning_and_error_of_a_start_that_fails_are_json(tmp_path, monkeypatch):
    monkeypatch.setenv("RELAY_UPSTREAM__HOTS", "mail.example.com")
    with Relay(tmp_path) as relay:
        assert relay.log()[0]["level"] == "warning"

        second = relay.run("serve")

    warning, error = lines(second.stderr)
    assert (second.returncode, warning["role"], error["role"]) == (1, "supervisor", "supervisor")
    assert "did you mean RELAY_UPSTREAM__HOST?" in warning["event"]
    assert "is in use: another supervisor runs there" in error["event"]


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["serve", "receive", "work"])
def test_configuration_that_cannot_be_used_is_reported_in_json(tmp_path, command):
    relay = Relay(tmp_path, upstream={"host": "mail.example.com"}, budget={"burst": 0})

    done = relay.run(command)

    assert done.returncode == 2
    assert [line["level"] for line in lines(done.stderr)] == ["critical"] * len(lines(done.stderr))
    assert any("[budget] burst" in line["event"] for line in lines(done.stderr))


@pytest.mark.e2e
def test_receiver_and_worker_that_cannot_run_say_so_in_json(tmp_path):
    """The certificate does not exist, which the receiver finds when it loads it."""
    relay = Relay(tmp_path, smtp={"tls_cert": tmp_path / "gone.pem", "tls_key": tmp_path / "gone.key"})

    done = relay.run("serve")

    assert done.returncode == 2
    assert {line["role"] for line in lines(done.stderr)} == {"supervisor", "receiver"}
