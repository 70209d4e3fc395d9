"""The demo's command: starts the shop, makes it fail, and says how many error mails the relay took.

    python -m app_client.demo --port 2525          sends 300 error mails to the relay there, and says how many it took
    python -m app_client.demo --port 2525 --serve  keeps the shop up, to make it fail by hand

Exit codes: 0 the relay took every mail, 1 it did not, 2 wrong usage.
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

from app_client.demo.shop import create_app
from app_client.demo.surroundings import surroundings
from app_client.demo.visits import KINDS, RelayGone, Tally, Visitors, available_kinds, drive, served


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if the relay took every mail, 1 if not, 2 for wrong usage."""
    options = parse(arguments)
    with surroundings() as config:
        app = create_app(config)
        [mail_handler] = [each for each in app.logger.handlers if isinstance(each, SMTPHandler)]
        # Port 25 is for root alone: only this much of the recipe is changed from outside.
        mail_handler.mailhost, mail_handler.mailport = options.host, options.port
        with served(app, *options.listen if options.serve else ("127.0.0.1", 0)) as address:
            if options.serve:
                return stay_up(address)
            app.logger.removeHandler(default_handler)  # hundreds of tracebacks on the terminal would hide what matters
            return send(Visitors(address, options.chance), Tally(mail_handler), options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options; ends the program with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m app_client.demo", description="Make an app fail, for real.")
    parser.add_argument("--host", default="127.0.0.1", help="where the relay listens (127.0.0.1)")
    parser.add_argument("--port", type=int, default=25, help="and on which port (25)")
    parser.add_argument("--count", type=int, default=300, help="how many errors to make (300)")
    parser.add_argument("--seed", type=int, help="for the same errors in the same order again")
    parser.add_argument("--serve", action="store_true", help="only keep the shop up")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 5000), help="where to (127.0.0.1:5000)")
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error("--count must be at least 1")
    options.chance = random.Random(options.seed)  # noqa: S311 - nothing here is a secret
    return options


def address(text: str) -> tuple[str, int]:
    """Host and port of "host:port"; raises ValueError."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def stay_up(shop: tuple[str, int]) -> int:
    """Wait for Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("The shop is open at http://{}:{}/".format(*shop), flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


def send(visitors: Visitors, tally: Tally, options: argparse.Namespace) -> int:
    """Make the errors and report; the last line on stdout is JSON."""
    kinds = choose(options.count, options.chance)
    say(f"{options.count} error mails to {options.host}:{options.port}:")
    step = max(1, options.count // 10)
    try:
        taken = drive(visitors, tally, kinds, lambda number: say(f" {number}") if number % step == 0 else None)
        trouble = tally.trouble
    except RelayGone as gone:
        taken, trouble = gone.taken, str(gone)
    sent = sum(taken.values())
    say(f"; the relay took {'all' if sent == options.count else sent}.\n")
    if sent < options.count:
        say(f"{options.count - sent} were not taken. Is the relay running there? The last trouble: {trouble}\n")
    print(json.dumps({"sent": sent, "by_kind": {kind: taken[kind] for kind in KINDS}}), flush=True)
    return 0 if sent == options.count else 1


def choose(count: int, chance: random.Random) -> list[str]:
    """`count` kinds in random order, each of them at least once if there are enough."""
    kinds = available_kinds()
    chosen = [*kinds, *chance.choices(kinds, k=max(0, count - len(kinds)))]
    chance.shuffle(chosen)
    return chosen[:count]


def say(text: str) -> None:
    """Progress, on stderr: stdout is for the result."""
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
