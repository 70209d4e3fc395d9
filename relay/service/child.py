"""How the supervisor starts a role: `python -m relay.service.child receiver`.

Reads its order and watches its lifeline before it imports what the role needs, which takes
a while: a supervisor that is killed meanwhile must not leave it behind with the sockets.
"""

from __future__ import annotations

import importlib
import socket
import sys

from relay.service import roles


def main(role: str) -> int:
    """Be that role; return the exit code."""
    order = roles.read_order()
    lifeline = roles.Lifeline()
    bound = [socket.socket(fileno=number) for number in order["sockets"]]
    module = importlib.import_module(f"relay.service.{role}")
    code: int = module.be_child(order, bound, lifeline)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
