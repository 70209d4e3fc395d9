"""Mails to measure with: errors with a long trace, and errors of one line."""

from __future__ import annotations

import random
import uuid

FRAMES = 30


HEAD = "From: server-error@example.com\nTo: you@example.com\nSubject: YourApplication Failed\n\n"
TRACE = "Traceback (most recent call last):\n"


def mail_with_trace(rng: random.Random, error: int) -> str:
    """A mail in the documented format with a trace of 30 frames; those of one `error` differ in their data alone."""
    frames = "".join(
        f'  File "{path(error, frame)}", line {10 + frame}, in step_{error}_{frame}\n'
        f"    return self.handle(request, order=order, **options)\n"
        for frame in range(FRAMES)
    )
    return (
        f"{HEAD}\nMessage type:       ERROR\nLocation:           /srv/shop/current/shop/web.py:{rng.randrange(900)}\n"
        f"Module:             web\nFunction:           log_exception\n"
        f"Time:               2026-11-22 15:55:{rng.randrange(60):02},{rng.randrange(1000):03}\n\nMessage:\n\n"
        f"Exception on /orders/{rng.randrange(10**6)} [POST]\n{TRACE}{frames}"
        f"shop.errors.OutOfStock: order {rng.randrange(10**6)} of user {uuid.UUID(int=rng.getrandbits(128))}: "
        f"only {rng.randrange(99)} left of 'SKU-{rng.randrange(10**5)}'\n"
    )


def path(error: int, frame: int) -> str:
    """Two frames of the app, then one of a library."""
    if frame % 3:
        return f"/srv/shop/current/shop/part_{error}_{frame}.py"
    return f"/srv/shop/current/venv/lib/python3.11/site-packages/flask/part_{frame}.py"


KINDS = 50


def mails_in_turn(rng: random.Random, number: int, kinds: int = KINDS) -> list[str]:
    """Mails of so many errors in turn, each with data of its own."""
    return [mail_with_trace(rng, each % kinds) for each in range(number)]


def mail_of_one_line(error: int) -> str:
    """Return a mail of one line. Each number gives another error, spelled as a word: digits would be data."""
    word = "".join(chr(ord("a") + int(digit)) for digit in str(error))
    return f"From: server-error@example.com\nSubject: YourApplication Failed\n\nthe {word} queue has lost its order\n"
