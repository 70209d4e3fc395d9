"""How the supervisor starts a role: `python -m relay.service.child_main receiver`.

It loads the role's program, which takes a while, before it has its order, and ends at once where
the supervisor goes meanwhile.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys

from relay.service import child_protocol


def main(role: str) -> int:
    """Be that role; return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; until the role heeds it the supervisor does
    supervisor = child_protocol.SupervisorLink()
    gc.disable()  # a program that is being loaded has no garbage; looking for it takes a tenth of the time
    module = importlib.import_module(f"relay.service.{role}")
    gc.freeze()  # nor will it ever become any
    gc.enable()
    order, bound = supervisor.first()
    code: int = module.be_child(order, bound, supervisor)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
