"""Send a digest through a real Postfix with the settings of docs/docker.md: the host's own Postfix as the upstream."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.compose import read_env
from tests.support.doc_snippets import replaced, snippets
from tests.support.processes import Relay
from tests.support.smtp_sinks import wait_until

BLOCKS = snippets("docker.md")
ENV = BLOCKS["The host's own Postfix as the upstream 2 ini"]
POSTFIX = BLOCKS["The host's own Postfix as the upstream 3 ini"]
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = host.example.com
mydestination =
inet_protocols = ipv4
default_transport = discard:
alias_maps =
smtpd_peername_lookup = no
local_recipient_maps =
maillog_file = {folder}/mail.log
maillog_file_prefixes = /
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
discard unix - - n - - discard
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="Postfix is not installed (Debian's package `postfix`)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only"),
]


@pytest.fixture
def postfix() -> Iterator[tuple[int, Path]]:
    """A Postfix of its own with the settings of the page; yields its port and its log. It discards all mail.

    Only the address of Docker's bridge is not that of the page: this machine may have none.
    """
    with tempfile.TemporaryDirectory(prefix="postfix-") as name, socket.create_server(("127.0.0.1", 0)) as holder:
        folder, port = Path(name), holder.getsockname()[1]
        folder.chmod(0o755)
        for each in ("settings", "queue", "data"):
            (folder / each).mkdir()
        shutil.chown(folder / "data", "postfix")
        page = replaced(POSTFIX, {", 172.17.0.1": ""})
        (folder / "settings" / "main.cf").write_text(MAIN.format(folder=folder) + page)
        (folder / "settings" / "master.cf").write_text(MASTER.format(port=port))
        holder.close()
        command = ["postfix", "-c", str(folder / "settings")]
        subprocess.run([*command, "start"], check=True, capture_output=True, timeout=60)
        try:
            yield port, folder / "mail.log"
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True, timeout=60)


def test_postfix_of_the_host_accepts_what_the_relay_sends(postfix, tmp_path, monkeypatch):
    port, log = postfix
    settings = read_env(ENV)
    relay = Relay(tmp_path / "relay")
    here = {"RELAY_UPSTREAM__HOST": "127.0.0.1", "RELAY_UPSTREAM__PORT": str(port)}
    for name, value in {**settings, **here}.items():
        monkeypatch.setenv(name, value)
    done = relay.run("send-test")

    assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    wait_until(lambda: log.exists() and "status=sent" in log.read_text())
    assert f"to=<{settings['RELAY_ADMINS']}>" in log.read_text()
    assert f"from=<{settings['RELAY_SENDER']}>" in log.read_text()
