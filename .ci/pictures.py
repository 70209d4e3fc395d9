"""Take the pictures in docs/: the example digest, and the pages of a relay after some errors of an invented shop.

    python .ci/pictures.py [FOLDER]

It starts a relay on free ports with its state in a temporary folder, sends it error mails, and takes the screenshots
with headless Chromium. Nothing of this machine is in them but the time. Exits with 1 and a sentence if Chromium is
missing or a step takes too long.
"""

import json
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relay.compose.example import example_digest
from relay.compose.message import html_part
from relay.compose.render import Renderer
from relay.model import DigestLimits

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 760
HEIGHTS = {"digest": 1230, "overview": 1270, "error": 800}
MOMENT = datetime(2026, 11, 23, 14, 3, 32, tzinfo=UTC)
"""The time of the example digest, so that only a change of the mail changes its picture."""
ERRORS = {
    ("orders", 82, "place_order", "database.execute(INSERT, row)", "sqlite3.OperationalError: database is locked"): 118,
    ("prices", 31, "convert", "rate = rates[currency]", "KeyError: 'CHF'"): 47,
    ("photos", 57, "show_photo", "image = open(path, 'rb')", "OSError: [Errno 5] Input/output error: 'cup.jpg'"): 32,
    ("parcels", 19, "announce", "reply = carrier.post(parcel)", "ConnectionRefusedError: [Errno 111] refused"): 21,
    ("carts", 12, "average", "return total / len(items)", "ZeroDivisionError: division by zero"): 9,
    ("receipts", 64, "write", "file.write(text)", "OSError: [Errno 28] No space left on device"): 3,
}
"""Module, line, function, source and error of what fails, and how often."""
MAIL = """
Message type:       ERROR
Location:           /srv/shop/{module}.py:{line}
Module:             {module}
Function:           {function}
Time:               {time:%Y-%m-%d %H:%M:%S},000

Message:

Exception on /{module} [POST]
Traceback (most recent call last):
  File "/srv/shop/app.py", line 40, in dispatch
    return view(**arguments)
           ^^^^^^^^^^^^^^^^^
  File "/srv/shop/{module}.py", line {line}, in {function}
    {source}
{error}
"""
TIMEOUT = 60.0


def main(folder: Path = DOCS) -> int:
    """Write the pictures into `folder`; return 0, or 1 if that is not possible."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("Chromium is not installed (Debian: apt-get install chromium).")
        return 1
    with tempfile.TemporaryDirectory(prefix="error-mail-relay-pictures-") as name:
        scratch = Path(name)
        page = scratch / "digest.html"
        page.write_text(digest(), encoding="utf-8")
        addresses = {"digest": page.as_uri()}
        with relay(scratch) as (smtp, web):
            fail(smtp)
            until(lambda: reported(web) == sum(ERRORS.values()), "the relay to count every mail")
            addresses |= {"overview": f"http://{web}/", "error": f"http://{web}/errors/1"}
            for picture, address in addresses.items():
                shoot(browser, address, folder / f"{picture}.png", HEIGHTS[picture], scratch)
                print(f"{folder / picture}.png")
    return 0


def digest() -> str:
    """Return the HTML of the example digest."""
    limits = DigestLimits(max_size=90_000, full_errors=20, trace_lines=60)
    renderer = Renderer(None, limits, UTC, "error-mail-relay@example.com")
    return html_part(renderer.digest(example_digest(MOMENT, ("yourname@example.com",))).raw)


@contextmanager
def relay(scratch: Path) -> Iterator[tuple[str, str]]:
    """Run a relay with its defaults; yield the addresses of SMTP and of the pages."""
    config, log = scratch / "relay.toml", scratch / "relay.log"
    config.write_text(
        'smtp = { listen = "127.0.0.1:0" }\nhttp = { listen = "127.0.0.1:0" }\nlog = { format = "json" }\n'
        f"storage = {{ data_dir = {json.dumps(str(scratch / 'data'))} }}\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "LISTEN_"))}
    command = [sys.executable, "-m", "relay", "serve", "--config", str(config)]
    with log.open("wb") as out, subprocess.Popen(command, env=environ, stderr=out) as process:
        try:
            found = until(lambda: listening(log), "the relay to listen")
            yield found["smtp"], found["http"]
        finally:
            process.terminate()


def listening(log: Path) -> dict[str, Any] | None:
    """Return the log line with both addresses, None if the relay does not listen yet."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return next((line for line in lines if line.get("event") == "listening"), None)


def fail(smtp: str) -> None:
    """Send each of ERRORS as often as it says."""
    host, _, port = smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=TIMEOUT) as client:
        for (module, line, function, source, error), count in ERRORS.items():
            now = datetime.now(UTC)
            text = MAIL.format(module=module, line=line, function=function, source=source, error=error, time=now)
            mail = f"From: server-error@example.com\nSubject: Shop Failed\n\n{text}"
            for _ in range(count):
                client.sendmail("server-error@example.com", ["yourname@example.com"], mail)


def reported(web: str) -> int:
    """Return how many mails the relay has reported in digests."""
    try:
        with urllib.request.urlopen(f"http://{web}/metrics", timeout=10) as response:
            text = response.read().decode()
    except urllib.error.HTTPError:  # the worker has not opened its ledger yet
        return 0
    [line] = [line for line in text.splitlines() if line.startswith('relay_mails{place="reported"}')]
    return int(float(line.rpartition(" ")[2]))


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true result of `condition`; exit with a sentence after TIMEOUT seconds."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise SystemExit(f"waited {TIMEOUT:g} seconds for {what}")


def shoot(browser: str, address: str, file: Path, height: int, scratch: Path) -> None:
    """Take a screenshot of a page."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    options += [f"--user-data-dir={scratch / 'profile'}", f"--window-size={WIDTH},{height}", f"--screenshot={file}"]
    subprocess.run([browser, *options, address], check=True, capture_output=True, timeout=TIMEOUT)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
