"""The command of the demo: starts the shop, makes it fail, and reports how many error mails the relay accepted.

    python -m app_client.demo --port 2525          sends 300 error mails to the relay on that port
    python -m app_client.demo --port 2525 --serve  only runs the shop, to make it fail by hand

Exit codes: 0 the relay accepted every mail, 1 it did not, 2 wrong usage.
"""

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Sequence
from logging.handlers import SMTPHandler

from flask.logging import default_handler

from app_client.demo.dependencies import failing_dependencies
from app_client.demo.shop import create_app
from app_client.demo.visits import KINDS, RelayUnavailable, Tally, Visitors, available_kinds, drive, served


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Returns 0 if the relay accepted every mail, 1 if not; exits with 2 for wrong usage."""
    options = parse(arguments)
    with failing_dependencies() as config:
        app = create_app(config)
        [mail_handler] = [each for each in app.logger.handlers if isinstance(each, SMTPHandler)]
        # The recipe stays as documented; only its address is changed here, because port 25 needs root.
        mail_handler.mailhost, mail_handler.mailport = options.host, options.port
        with served(app, *options.listen if options.serve else ("127.0.0.1", 0)) as address:
            if options.serve:
                return serve_until_stopped(address)
            app.logger.removeHandler(default_handler)  # hundreds of tracebacks would hide the result on the terminal
            return send(Visitors(address, options.rng), Tally(mail_handler), options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line. Exits with 2 for wrong options."""
    parser = argparse.ArgumentParser(prog="python -m app_client.demo", description="Make an app fail, for real.")
    parser.add_argument("--host", default="127.0.0.1", help="host of the relay (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=25, help="port of the relay (default 25)")
    parser.add_argument("--count", type=int, default=300, help="number of errors to cause (default 300)")
    parser.add_argument("--seed", type=int, help="seed of the random numbers, to repeat the same errors")
    parser.add_argument("--serve", action="store_true", help="only run the shop, until it is stopped")
    parser.add_argument(
        "--listen",
        type=address,
        default=("127.0.0.1", 5000),
        help="address of the shop with --serve (default 127.0.0.1:5000)",
    )
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error("--count must be at least 1")
    options.rng = random.Random(options.seed)  # noqa: S311 - not used for secrets
    return options


def address(text: str) -> tuple[str, int]:
    """Return host and port of "host:port"; raises ValueError."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def serve_until_stopped(shop: tuple[str, int]) -> int:
    """Wait until Ctrl-C or SIGTERM; returns 0."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("The shop listens on http://{}:{}/".format(*shop), flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


def send(visitors: Visitors, tally: Tally, options: argparse.Namespace) -> int:
    """Cause the errors and print the result; the last line on stdout is JSON. Returns the exit code."""
    kinds = choose(options.count, options.rng)
    print_progress(f"{options.count} error mails to {options.host}:{options.port}:")
    step = max(1, options.count // 10)
    try:
        accepted = drive(
            visitors, tally, kinds, lambda number: print_progress(f" {number}") if number % step == 0 else None
        )
        last_failure = tally.last_failure
    except RelayUnavailable as error:
        accepted, last_failure = error.accepted, str(error)
    sent = sum(accepted.values())
    print_progress(f"; the relay accepted {'all' if sent == options.count else sent}.\n")
    if sent < options.count:
        missing = options.count - sent
        print_progress(f"{missing} were not accepted. Does the relay listen there? Last error: {last_failure}\n")
    print(json.dumps({"sent": sent, "by_kind": {kind: accepted[kind] for kind in KINDS}}), flush=True)
    return 0 if sent == options.count else 1


def choose(count: int, rng: random.Random) -> list[str]:
    """Return `count` kinds in random order, each at least once if `count` is large enough."""
    kinds = available_kinds()
    chosen = [*kinds, *rng.choices(kinds, k=max(0, count - len(kinds)))]
    rng.shuffle(chosen)
    return chosen[:count]


def print_progress(text: str) -> None:
    """Print progress on stderr; stdout is for the result."""
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
