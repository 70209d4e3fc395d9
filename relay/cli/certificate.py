"""`certificate`: write a self-signed certificate, so that apps on this machine can use STARTTLS with the relay."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from relay.cli.options import config_option, settings_of

DAYS = 3650
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@config_option
@click.pass_context
def certificate(ctx: click.Context, config: Path | None, out: Path | None) -> None:
    """Write a self-signed certificate for the loopback.

    For apps whose TLS switch cannot be turned off, such as SMTPHandler(secure=()). The file has the certificate and its
    key, and is valid for ten years. By default it is certificate.pem in the data directory. An existing file stays.
    """
    file = (out or settings_of(config).storage.data_dir / "certificate.pem").absolute()
    if file.exists():
        click.echo(f"{file} exists already; remove it first to replace it", err=True)
        ctx.exit(1)
    if shutil.which("openssl") is None:
        click.echo("openssl is not installed: install it (Debian: apt install openssl)", err=True)
        ctx.exit(1)
    try:
        _write(file)
    except OSError as error:
        click.echo(f"{file} cannot be written: {error.strerror}", err=True)
        ctx.exit(1)
    except subprocess.CalledProcessError as error:
        click.echo(f"openssl failed: {error.stderr.strip().splitlines()[-1] if error.stderr else error}", err=True)
        ctx.exit(1)
    click.echo(f'wrote {file}; set it and restart the relay:\n\n[smtp]\ntls_cert = "{file}"')


def _write(file: Path) -> None:
    """Write certificate and key into one new file of mode 0600. Raises OSError or CalledProcessError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
        command = ["openssl", "req", "-x509", *options, "-days", str(DAYS), "-addext", NAMES]
        subprocess.run(
            [*command, "-keyout", "key.pem", "-out", "certificate.pem"], check=True, capture_output=True, text=True
        )
        text = Path("certificate.pem").read_text("ascii") + Path("key.pem").read_text("ascii")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(text)
