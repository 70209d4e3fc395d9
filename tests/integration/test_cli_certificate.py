"""`relay certificate`: apps that insist on STARTTLS can send to the relay on the loopback."""

from __future__ import annotations

import logging
import shutil
import smtplib
import ssl
import stat
from logging.handlers import SMTPHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.receive import Access, Limits
from tests.support.receiving import receiving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "relay.toml"
    file.write_text(f'[storage]\ndata_dir = "{tmp_path}/data"\n')
    return file


def test_handler_with_its_tls_switch_on_delivers_with_the_certificate_and_fails_without_it(config, tmp_path):
    done = CliRunner().invoke(main, ["certificate", "--config", str(config)])
    file = tmp_path / "data" / "certificate.pem"
    assert done.exit_code == 0, done.output
    assert f'[smtp]\ntls_cert = "{file}"' in done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    with (
        receiving(tmp_path / "plain", Limits(stop_within=0.2), Access()) as running,
        smtplib.SMTP("127.0.0.1", running.port) as client,
        pytest.raises(smtplib.SMTPNotSupportedError),
    ):
        client.starttls()  # as the handler does
    with receiving(tmp_path / "tls", Limits(stop_within=0.2), Access(tls_cert=str(file))) as running:
        address = ("127.0.0.1", running.port)
        handler = SMTPHandler(address, "app@example.com", ["a@example.com"], "Failed", ("app", "x"), ())
        handler.emit(logging.LogRecord("app", logging.ERROR, "app.py", 7, "it broke", None, None))

        assert b"it broke" in running.contents()[0]
        with smtplib.SMTP("127.0.0.1", running.port) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(file)))


def test_existing_certificate_stays(config, tmp_path):
    file = tmp_path / "mine.pem"
    file.write_text("mine")

    done = CliRunner().invoke(main, ["certificate", "--config", str(config), "--out", str(file)])

    assert done.exit_code == 1
    assert "exists already" in done.output
    assert file.read_text() == "mine"


def test_folder_that_cannot_be_written_is_named(config):
    done = CliRunner().invoke(main, ["certificate", "--config", str(config), "--out", "/proc/none/certificate.pem"])

    assert done.exit_code == 1
    assert "/proc/none/certificate.pem cannot be written" in done.output
