"""Copies a backup to another machine (paramiko)."""

import paramiko


def connect(host, port):
    client = paramiko.SSHClient()
    client.connect(host, port=port, username="backup", timeout=2, allow_agent=False, look_for_keys=False)


def run_unreachable(rng):
    """Nobody listens there."""
    return connect("127.0.0.1", rng.choice((7, 9, 11, 13)))
