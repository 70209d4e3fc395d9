"""The data in errors: ids, people, hosts, files, times and free words, drawn from a seeded generator."""

from __future__ import annotations

import json
import random
import re
import string
import uuid
import zlib
from datetime import UTC, datetime, timedelta

KINDS = {
    "ids": ("ID", "CODE", "UUID"),
    "user": ("MAIL", "NAME"),
    "net": ("HOST", "IP"),
    "path": ("FILE",),
    "time": ("WHEN", "DAY"),
    "body": ("TEXT", "AMOUNT"),
}
"""The kinds of data that a variant redraws separately, and the environment variables that contain them."""

FIRST = "Amelie Bruno Chiara Dmitri Elif Farah Goran Hanna Igor Jana Kofi Lucía Mehmet Nadia Oskar Priya Rosa"
LAST = "Abebe Bianchi Castro Dubois Eriksen Fischer Gupta Hoffmann Ivanova Jensen Lopez Moreau Nguyen Rossi"
WORDS = [
    "amber",
    "basil",
    "copper",
    "dune",
    "ember",
    "fjord",
    "grove",
    "hazel",
    "indigo",
    "jasper",
    "kelp",
    "lagoon",
    "maple",
    "nectar",
    "opal",
    "pebble",
    "quartz",
]
FOLDERS = ["in", "out", "scans", "uploads", "outbox", "archive", "pending"]
SUFFIXES = ["csv", "xml", "pdf", "json", "tif", "log"]


def rng_of(*names: str) -> random.Random:
    """Return the generator of one variant."""
    return random.Random(zlib.crc32("/".join(names).encode()))


class Data:
    """The data of one occurrence: `env` for programs, `filled` for alerts."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(40_000_000))
        moment = self.now - timedelta(seconds=rng.randrange(9_000_000))
        self.person = f"{rng.choice(FIRST.split())} {rng.choice(LAST.split())}"
        self.login = self.person.lower().replace(" ", rng.choice("._"))
        self.env = {
            "ID": str(rng.randrange(100, 900_000)),
            "CODE": self.code(),
            "UUID": self.uuid(),
            "MAIL": f"{self.login.replace('í', 'i')}@{rng.choice(WORDS)}.example",
            "NAME": self.login,
            "HOST": f"{rng.choice(['web', 'db', 'app', 'mx'])}-{rng.randrange(1, 60)}.{rng.choice(WORDS)}.example.net",
            "IP": ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
            "FILE": self.path(),
            "WHEN": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
            "DAY": f"{moment:%Y-%m-%d}",
            "TEXT": " ".join(rng.choice(WORDS) for _ in range(rng.randrange(2, 6))),
            "AMOUNT": str(rng.randrange(4, 90)),
        }

    def later(self) -> Data:
        """Return the same data at a later time."""
        other = self.redrawn("", self.rng)
        other.now = self.now + timedelta(seconds=4_321)
        return other

    def redrawn(self, kind: str, rng: random.Random) -> Data:
        """Return the same data, with one kind redrawn."""
        other, drawn = Data(rng), Data(rng)
        other.now, other.person = self.now, self.person
        other.env = self.env | {name: drawn.env[name] for name in KINDS.get(kind, ())}
        return other

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a program."""
        return {**self.env, "NOW": f"{self.now:%Y-%m-%d %H:%M:%S}"}

    def filled(self, template: str) -> str:
        """Return `template` with each `{slot}` filled."""
        return re.sub(r"\{([a-z]+\d*)\}", lambda match: self.slot(match[1]), template)

    def slot(self, name: str) -> str:
        """Return the text for one slot."""
        drawn = getattr(self, name, None) if name in ("code", "uuid", "path") else None
        return drawn() if drawn else self.fixed(name) if name in FIXED else str(SLOTS[name](self.rng))

    def fixed(self, name: str) -> str:
        """Return the value of a slot that is the same everywhere in one message."""
        return {
            "person": self.person,
            "login": self.login,
            "mail": self.env["MAIL"],
            "host": self.env["HOST"],
            "id": self.env["CODE"],
        }[name]

    def code(self) -> str:
        """Return the code of a product or a parcel."""
        rng = self.rng
        letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randrange(2, 4)))
        return f"{letters}-{rng.randrange(1000, 99_999)}"

    def uuid(self) -> str:
        """A random one."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def path(self) -> str:
        """Return the path of a user's file."""
        rng = self.rng
        folder = f"/data/{rng.choice(FOLDERS)}/{rng.randrange(2019, 2026)}"
        return f"{folder}/{rng.choice(WORDS)}-{rng.randrange(999)}.{rng.choice(SUFFIXES)}"


FIXED = ("person", "login", "mail", "host", "id")


def moment(rng: random.Random) -> datetime:
    """Return a time within two years."""
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(60_000_000))


def hexadecimal(rng: random.Random, digits: int) -> str:
    """Return that many characters."""
    return "".join(rng.choice("0123456789abcdef") for _ in range(digits))


def letters(rng: random.Random, number: int, of: str = string.ascii_letters + string.digits) -> str:
    """Return that many characters."""
    return "".join(rng.choice(of) for _ in range(number))


def address(rng: random.Random) -> str:
    """Return the URL of a page."""
    path = f"v{rng.randrange(1, 4)}/{rng.choice(WORDS)}/{rng.randrange(9999)}?page={rng.randrange(9)}"
    return f"https://{rng.choice(WORDS)}.example.org/{path}"


def structure(rng: random.Random) -> str:
    """A JSON object of any size."""
    fields = {
        rng.choice(WORDS): rng.choice([rng.randrange(999), letters(rng, 6), None, True])
        for _ in range(rng.randrange(1, 5))
    }
    return json.dumps({"id": rng.randrange(9999), **fields})


def statement(rng: random.Random) -> str:
    """One query with its values."""
    ids = ", ".join(str(rng.randrange(9999)) for _ in range(rng.randrange(1, 6)))
    where = f"customer_id IN ({ids}) AND placed > '{moment(rng):%Y-%m-%d}'"
    return f"SELECT * FROM orders WHERE {where} LIMIT {rng.randrange(10, 99)}"


SLOTS = {
    "n": lambda rng: rng.randrange(2, 9_000),
    "big": lambda rng: rng.randrange(10**6, 10**11),
    "pct": lambda rng: f"{rng.randrange(3, 99)}%",
    "dur": lambda rng: rng.choice(
        [
            f"{rng.randrange(2, 900)} s",
            f"{rng.uniform(1, 60):.2f}s",
            f"{rng.randrange(2, 90)} minutes",
            f"{rng.randrange(5, 999)}ms",
            f"0:{rng.randrange(10, 59)}:{rng.randrange(10, 59)}",
        ]
    ),
    "size": lambda rng: f"{rng.uniform(1, 900):.1f} {rng.choice(['KB', 'MB', 'GB', 'MiB', 'GiB'])}",
    "hex": lambda rng: hexadecimal(rng, 16),
    "hex12": lambda rng: hexadecimal(rng, 12),
    "b64": lambda rng: letters(rng, 22),
    "ip": lambda rng: rng.choice(
        [
            ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
            f"2001:db8:{hexadecimal(rng, 4)}::{rng.randrange(1, 99)}",
        ]
    ),
    "ipv": lambda rng: ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
    "port": lambda rng: rng.randrange(1024, 65_535),
    "url": address,
    "file": lambda rng: f"{rng.choice(WORDS)}_{moment(rng):%Y%m%d}.{rng.choice(SUFFIXES)}",
    "text": lambda rng: " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 5))),
    "iso": lambda rng: moment(rng).isoformat(),
    "day": lambda rng: (
        rng.choice(["%d.%m.%Y", "%Y-%m-%d", "%b %d, %Y", "%d %B %Y"])
        and f"{moment(rng):{rng.choice(['%d.%m.%Y', '%Y-%m-%d', '%d/%m/%Y'])}}"
    ),
    "clock": lambda rng: f"{moment(rng):%H:%M:%S}",
    "stamp": lambda rng: f"{moment(rng):%a %b %d %H:%M:%S %Y}",
    "list": lambda rng: ", ".join(str(rng.randrange(9999)) for _ in range(rng.randrange(2, 7))),
    "money": lambda rng: rng.choice(
        [
            f"{rng.uniform(1, 999):.2f} EUR",
            f"{rng.randrange(1, 99)},{rng.randrange(100, 999)}.{rng.randrange(10, 99)} EUR",
        ]
    ),
    "mac": lambda rng: ":".join(hexadecimal(rng, 2) for _ in range(6)),
    "json": structure,
    "sql": statement,
    "dev": lambda rng: rng.choice(
        [
            f"/dev/sd{letters(rng, 1, 'abcdef')}{rng.randrange(1, 9)}",
            f"/dev/nvme{rng.randrange(9)}n1p{rng.randrange(1, 9)}",
        ]
    ),
    "disk": lambda rng: f"sd{letters(rng, 1, 'abcdefgh')}",
    "addr": lambda rng: f"{rng.getrandbits(40):x}",
    "rs": lambda rng: letters(rng, 10, "bcdf2456789"),
    "pod": lambda rng: letters(rng, 5, "bcdfghjklmnpqrstvwxz2456789"),
}
"""How each slot of an alert is filled, if it does not depend on other slots of the message."""
