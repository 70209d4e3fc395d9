"""Mails and traces for the tests of parse: built here, or read from tests/data/mails."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from relay.model import CUT_MARKER, Envelope, Record, Report, Retained
from relay.parse.report import parse
from tests.support.paths import DATA

KEPT_HEAD, KEPT_TAIL = 192 * 1024, 64 * 1024

TRACEBACK = """Traceback (most recent call last):
  File "/srv/harbour/venv/lib/python3.11/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/harbour/current/harbour/shop.py", line 9, in checkout
    return str(catalogue.discount(100, buyers))
  File "/srv/harbour/current/harbour/catalogue.py", line 19, in discount
    return total / buyers
           ~~~~~~^~~~~~~~
ZeroDivisionError: division by zero"""


def stored(name: str) -> bytes:
    return (DATA / "mails" / name).read_bytes()


def record(
    content: bytes, *, retained: Retained = Retained.WHOLE, sender: str = "app@books.example.org", size: int = 0
) -> Record:
    envelope = Envelope(sender=sender, recipients=("ops@example.org",), peer="127.0.0.1")
    received_at = datetime(2026, 11, 22, 17, 3, tzinfo=UTC)
    size = size or len(content)
    return Record(
        position=0, end=size, received_at=received_at, envelope=envelope, retained=retained, content=content, size=size
    )


def read_by_relay(content: bytes) -> Report:
    """Return the report of a whole mail, without configured app rules."""
    return parse(record(content), ())


def ends_of(content: bytes) -> bytes:
    """Return what the receiver keeps of a mail that is too large: its beginning and its end."""
    assert len(content) > KEPT_HEAD + KEPT_TAIL

    return content[:KEPT_HEAD] + CUT_MARKER % (len(content) - KEPT_HEAD - KEPT_TAIL) + content[-KEPT_TAIL:]


def mail(text: str, *, cte: str | None = None, charset: str = "utf-8", html: str = "", **headers: str) -> bytes:
    """Build a mail with Python's `email` package."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Harbour Books <server-error@example.com>"
    message["Subject"] = headers.pop("subject", "Harbour Books Failed")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text, charset=charset, cte=cte)
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


def raw(head: str, body: bytes = b"") -> bytes:
    """Build a mail with exactly this header section."""
    return head.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


DOCUMENTED = f"""
Message type:       CRITICAL
Location:           /srv/harbour/current/harbour/nightly.py:9
Module:             nightly
Function:           totals
Time:               2026-11-22 17:03:19,532

Message:

Totals failed:
  twice

{TRACEBACK}
"""
