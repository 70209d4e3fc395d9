"""The entry point of a child process: `python -m relay.service.child_main ROLE` (`receiver` or `worker`).

The child loads the program of its role, which takes a while, before its configuration arrives. It ends at once if the
supervisor dies meanwhile. The configuration says how to log, so an error while loading is raised after it arrives.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys

from relay.service import child_protocol, logs

GARBAGE_AFTER = 20_000
"""New objects after which Python looks for garbage. A batch makes thousands that live until it ends; with Python's 700,
the worker spends a tenth of its time on looking through them."""


def main(role: str) -> int:
    """Run the role until it ends; return the exit code."""
    # Ctrl-C reaches every process of the terminal. Until the role handles SIGINT itself, the supervisor does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = child_protocol.SupervisorLink()
    # Loading a program creates no garbage, and looking for it takes a tenth of the start-up time.
    gc.disable()
    module = failure = None
    try:
        module = importlib.import_module(f"relay.service.{role}")
    except Exception as error:  # noqa: BLE001 -- raised again below, once it is known how to log it
        failure = error
    gc.freeze()  # the loaded modules live as long as the process
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
    gc.enable()
    config, bound = supervisor.first_config()
    logs.configure(role, **config["log"])
    if module is None:
        raise failure or ImportError(role)
    code: int = module.run_child(config, bound, supervisor)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
