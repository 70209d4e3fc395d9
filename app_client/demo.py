"""A small shop that mails its errors just as Flask's guide shows, and fails in each of the guide's seven ways.

    python -m app_client.demo --port 2525          sends 300 error mails to the relay there, and says how many it took
    python -m app_client.demo --port 2525 --serve  keeps the shop up, to make it fail by hand

Read `mail_errors` first: the guide's recipe, word for word, with the standard library's own SMTPHandler. The shop's
code is sound, too; what it depends on is not, see `demo_surroundings`. Its visitors come from `demo_visits`.
"""

import argparse
import json
import random
import signal
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from logging.handlers import SMTPHandler

from flask import Blueprint, Flask, current_app, render_template_string, request
from flask.logging import default_handler

from app_client.demo_surroundings import surroundings
from app_client.demo_visits import KINDS, RelayGone, Tally, Visitors, available_kinds, drive, served

# Not through a proxy that the environment may name: all of this is on one machine.
fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


shop = Blueprint("shop", __name__)


def create_app(config: Mapping[str, object]) -> Flask:
    """The shop; `config` says where its database and the other things are that it depends on."""
    app = Flask("yourapplication")
    app.config.from_mapping(config)
    mail_errors(app)
    app.register_blueprint(shop)
    return app


# ruff: noqa: N806, PLC0415, Q000, Q001 - the recipe stands here as it is documented
# fmt: off
def mail_errors(app: Flask) -> None:
    """The documented recipe."""
    ADMINS = ['yourname@example.com']
    if not app.debug:
        import logging
        from logging.handlers import SMTPHandler
        mail_handler = SMTPHandler('127.0.0.1', 'server-error@example.com', ADMINS, 'YourApplication Failed')
        mail_handler.setLevel(logging.ERROR)
        app.logger.addHandler(mail_handler)

        from logging import Formatter
        mail_handler.setFormatter(Formatter('''
Message type:       %(levelname)s
Location:           %(pathname)s:%(lineno)d
Module:             %(module)s
Function:           %(funcName)s
Time:               %(asctime)s

Message:

%(message)s
'''))
# fmt: on


@shop.get("/")
def index() -> tuple[str, dict[str, str]]:
    """What there is to try."""
    rules = [f"{', '.join(sorted(rule.methods or ())):20} {rule.rule}" for rule in current_app.url_map.iter_rules()]
    return "\n".join(rules), {"Content-Type": "text/plain"}


@shop.put("/photos/<name>")
def upload_photo(name: str) -> str:
    """Client gone: it hangs up in the midst of its upload."""
    return f"{name}: {len(request.get_data())} bytes"


@shop.app_errorhandler(400)
def note_bad_request(error: Exception) -> tuple[str, int]:
    """Flask itself does not log what it blames on the client."""
    current_app.logger.error("Request %s %s came to nothing", request.method, request.path, exc_info=error)
    return "bad request", 400


@shop.post("/orders/<int:order>")
def place_order(order: int) -> str:
    """Database overloaded: somebody else holds the lock for too long."""
    row = (order, request.args["customer"], request.args["amount"])
    with closing(sqlite3.connect(current_app.config["DATABASE"], timeout=0.02)) as database, database:
        database.execute("INSERT INTO orders VALUES (?, ?, ?)", row)
    return "thank you"


@shop.post("/receipts/<int:order>")
def write_receipt(order: int) -> tuple[str, int]:
    """File system full."""
    try:
        current_app.config["RECEIPTS"].write_text(f"{order}: {request.args['amount']} EUR\n")
    except OSError:
        current_app.logger.exception("No receipt over %s EUR for %s", request.args["amount"], request.args["customer"])
        return "no receipt today", 500
    return "written", 201


@shop.get("/photos/<name>")
def show_photo(name: str) -> str:
    """Disk broken."""
    return f"{name}: {current_app.config['PHOTOS'].read_bytes()!r}"


@shop.get("/rates/<currency>")
def convert(currency: str) -> str:
    """Backend overloaded: it answers 503, or not in time."""
    with fetch(f"{current_app.config['RATES']}/{currency}", timeout=0.1) as answer:
        return str(float(request.args["amount"]) * float(answer.read()))


@shop.get("/orders")
def list_orders() -> str:
    """Bug in a library: Jinja divides by the number of columns without a look at it."""
    template = "{% for column in orders | slice(columns) %}{{ column }}{% endfor %}"
    return render_template_string(template, orders=range(9), columns=int(request.args["columns"]))


@shop.post("/parcels/<int:order>")
def announce_parcel(order: int) -> tuple[str, int]:
    """Network down."""
    try:
        fetch(f"{current_app.config['PARCEL_SERVICE']}/{order}", timeout=1).close()
    except OSError:
        current_app.logger.critical("Parcel %d for %s not announced", order, request.args["customer"], exc_info=True)
        return "not announced", 502
    return "announced", 200


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
