"""A small Flask shop that mails its errors with the recipe of Flask's guide, and fails in each of its seven ways.

Read `mail_errors` first: the recipe of the guide, word for word, with the standard library's SMTPHandler. The code of
the shop has no bug; its dependencies fail, see `dependencies`. The requests come from `visits`.
"""

import sqlite3
import urllib.request
from collections.abc import Mapping
from contextlib import closing

from flask import Blueprint, Flask, current_app, render_template_string, request

# Without the proxy that the environment may configure: all services are on this machine.
fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


shop = Blueprint("shop", __name__)


def create_app(config: Mapping[str, object]) -> Flask:
    """Return the shop; `config` contains its database, files and services."""
    app = Flask("yourapplication")
    app.config.from_mapping(config)
    mail_errors(app)
    app.register_blueprint(shop)
    return app


# ruff: noqa: N806, PLC0415, Q000, Q001 - this is the documented recipe, unchanged
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
    """List the routes to try."""
    rules = [f"{', '.join(sorted(rule.methods or ())):20} {rule.rule}" for rule in current_app.url_map.iter_rules()]
    return "\n".join(rules), {"Content-Type": "text/plain"}


@shop.put("/photos/<name>")
def upload_photo(name: str) -> str:
    """Client gone: the client disconnects during its upload."""
    return f"{name}: {len(request.get_data())} bytes"


@shop.app_errorhandler(400)
def note_bad_request(error: Exception) -> tuple[str, int]:
    """Log the error: Flask itself does not log errors of the client."""
    current_app.logger.error("Request %s %s was incomplete", request.method, request.path, exc_info=error)
    return "bad request", 400


@shop.post("/orders/<int:order>")
def place_order(order: int) -> str:
    """Database overloaded: another connection holds the lock for too long."""
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
    """Backend overloaded: it answers 503, or too late."""
    with fetch(f"{current_app.config['RATES']}/{currency}", timeout=0.1) as answer:
        return str(float(request.args["amount"]) * float(answer.read()))


@shop.get("/orders")
def list_orders() -> str:
    """Bug in a library: Jinja divides by the number of columns without a check for 0."""
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
