"""Slots that are not in `wide.data`."""

from __future__ import annotations

import random

from wide.data import FIRST, SUFFIXES, WORDS, hexadecimal, letters

CITIES = ["Aarhus", "Bergen", "Córdoba", "Derby", "Essen", "Faro", "Gdańsk", "Helsinki", "Izmir", "Kraków", "Lyon",
          "Malmö", "Nantes", "Oporto", "Porto", "Turin"]  # fmt: skip
PACKAGES = ["curl", "libc6", "openssl", "tzdata", "linux-image-6.1.0-18-amd64", "libssl3", "bind9-host", "vim-common",
            "python3.11-minimal", "libx11-6"]  # fmt: skip
COMMANDS = ["awk", "curl", "find", "grep", "ldd", "passwd", "sudo", "wget"]


def some(choices: list[str], rng: random.Random, least: int, most: int) -> list[str]:
    return [rng.choice(choices) for _ in range(rng.randint(least, most))]


def sentence(rng: random.Random) -> str:
    """Return words as a user types them, capitalized."""
    return " ".join(some(WORDS, rng, 1, 5)).capitalize()


SLOTS = {
    "m": lambda rng: rng.randrange(1, 9),
    "n2": lambda rng: rng.randrange(10, 99),
    "n3": lambda rng: rng.randrange(100, 999),
    "n4": lambda rng: rng.randrange(1000, 9999),
    "n5": lambda rng: f"{rng.randrange(99_999):05}",
    "n6": lambda rng: f"{rng.randrange(999_999):06}",
    "n9": lambda rng: f"{rng.randrange(999_999_999):09}",
    "f": lambda rng: f"{rng.uniform(0.1, 90):.2f}",
    "ss": lambda rng: f"{rng.randrange(60):02}",
    "pct1": lambda rng: f"{rng.uniform(1, 99):.1f}%",
    "unix": lambda rng: rng.randrange(1_600_000_000, 1_790_000_000),
    "durgo": lambda rng: rng.choice(["3h12m0.4s", "412.331ms", "25m1.331912s", "1m0.001s", "41.2s"]),
    "hex2": lambda rng: hexadecimal(rng, 2),
    "hex4": lambda rng: hexadecimal(rng, 4),
    "hex5": lambda rng: hexadecimal(rng, 5),
    "hex8": lambda rng: hexadecimal(rng, 8),
    "hex40": lambda rng: hexadecimal(rng, 40),
    "b4": lambda rng: letters(rng, 4, "abcdefghijkmnopqrstuvwxyz0123456789"),
    "b8": lambda rng: letters(rng, 8, "abcdefghijkmnopqrstuvwxyz0123456789"),
    "B10": lambda rng: letters(rng, 10, "ABCDEFGHIJKLMNOPQRSTUV0123456789"),
    "letter": lambda rng: letters(rng, 1, "ABC"),
    "serial": lambda rng: letters(rng, 3, "ABCDEFGHKMNPRSTUVW") + letters(rng, 9, "ABCDEFGHKM0123456789"),
    "word": lambda rng: rng.choice(WORDS),
    "Word": lambda rng: rng.choice(WORDS).capitalize(),
    "svc": lambda rng: rng.choice(WORDS) + rng.choice(["", "-web", "_1"]),
    "Text": sentence,
    "City": lambda rng: rng.choice(CITIES),
    "First": lambda rng: rng.choice(FIRST.split()),
    "domain": lambda rng: f"{rng.choice(['www.', 'shop.', ''])}{rng.choice(WORDS)}.example.org",
    "ver": lambda rng: f"{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(30)}",
    "pkg": lambda rng: rng.choice(PACKAGES),
    "pkgs": lambda rng: " ".join(some(PACKAGES, rng, 1, 7)),
    "cmd": lambda rng: rng.choice(COMMANDS),
    "ordinal": lambda rng: rng.choice(["a 2nd", "a 3rd", "the 4th", "its 11th"]),
    "de": lambda rng: f"{rng.randrange(1, 99)}.{rng.randrange(100, 999)},{rng.randrange(10, 99)} €",
    "quotedlist": lambda rng: str([rng.choice(WORDS) for _ in range(rng.randrange(1, 6))]),
    "upload": lambda rng: f"{rng.choice(WORDS)}.{rng.choice(SUFFIXES)}",
}  # fmt: skip
"""How each slot is filled, as in `wide.data.SLOTS`."""
