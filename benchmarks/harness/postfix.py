"""A Postfix of its own beside whatever the machine runs: own folder, own ports of the loopback, mail discarded.

Needs Debian's package `postfix` (any configuration) and root, as Postfix does.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
default_transport = discard:
local_transport = discard:
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
message_size_limit = {max_size}
maillog_file = {folder}/mail.log
maillog_file_prefixes = /
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
"""
_MASTER = """
127.0.0.1:{plain} inet n - n - - smtpd
127.0.0.1:{starttls} inet n - n - - smtpd -o smtpd_tls_security_level=may
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
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


def installed() -> bool:
    """True where Postfix can be run here."""
    return shutil.which("postfix") is not None


@contextlib.contextmanager
def running(folder: Path, certificate: Path, *, max_size: int) -> Iterator[dict[str, int]]:
    """Run a Postfix under `folder`; give its ports: `plain`, `starttls`, `implicit`."""
    ports = dict(zip(("plain", "starttls", "implicit"), free_ports(3), strict=True))
    settings = folder / "settings"
    for each in (settings, folder / "queue", folder / "data"):
        each.mkdir(parents=True)
    for each in (folder, folder.parent):
        each.chmod(0o755)  # other users of Postfix go through here
    shutil.chown(folder / "data", "postfix")
    (settings / "main.cf").write_text(_MAIN.format(folder=folder, certificate=certificate, max_size=max_size))
    (settings / "master.cf").write_text(_MASTER.format(**ports))
    command = ["postfix", "-c", str(settings)]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        for port in ports.values():
            wait_for(port)
        yield ports
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(port: int, seconds: float = 20.0) -> None:
    """Return once something accepts connections on `port`. Raises OSError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
