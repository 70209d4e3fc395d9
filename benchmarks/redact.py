"""What redaction costs: mails without secrets, with some, and the worst of what 1 MB of anything takes.

    python -m benchmarks.redact

Each figure is the median of the runs in processor time. Of the worst cases, 250 KB and 1 MB stand side by side: linear
is a factor of four.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.harness.costs import seconds
from relay.model import Report
from relay.parse.report import parse_text
from relay.redact import redact
from relay.redact.names import Names
from relay.redact.search import find_secrets

RUNS = 5
MAILS = 300
MEGABYTE = 1_000_000
FRAMES = "".join(
    f'  File "/srv/shop/part_{n}.py", line {n}, in step_{n}\n    return self.handle(order)\n' for n in range(30)
)
UNITS = (
    "a", " ", "\n", "'", '"', "\\", '\\"', "<", "<a ", "<input value='x' ", "&", "?a=", "key", "api_key", "api_key ",
    "password", "password=", "password: ", "password='", 'password="a\n', 'password\\":\\"', "password = '\\", "pass ",
    "--password ", "password, value=", "password value='", "password" + " " * 40, "password|\n", "password: |\n a\n",
    "cookie: ", "cookie: a=1;", "authorization: Bearer ", "Basic YWRhOmh1bnRlcjI= ", "Bearer a1", "token:=", "token=>",
    "a://b:c", "a://b:c@", "postgres://a:b", "postgres://a:b@c ", "a:b@tcp", "&code=", "mysql ", "mysql -p", "curl -u ",
    "mysql a ", "login ,", "IDENTIFIED BY ", "IDENTIFIED BY '", "PASSWORD FOR a", "INSERT INTO a (password) VALUES ",
    "INSERT INTO a (password) VALUES (", "INSERT INTO a (password) VALUES ('a'),", "INSERT a (", "('a'),", "(password,",
    "eyJaaaaaaaa.", "eyJ", "-----BEGIN A-----", "-----BEGIN ", "4111 ", "4111111111111111 ", "1234567890:AA", "a.b-",
    "Q~", "AKIA", "0a1b2c3d", "&quot;password&quot;:&quot;", "password&quot;", "<password>", "<a:password ", "%5B",
    "response=", "cnonce=a", "export ", "password=a\n", "A_PASSWORD=", "('password', '", "signature=", "\u0130token=",
    "Failing row contains (", "Failing row contains (a).\n", "Key (a", "Key (token)=(",
    "Duplicate entry '", "Duplicate entry 'a' for key '",
    "passphrase: a ", "passphrase: ab cd ef ",
)  # fmt: skip
"""Hard on one look or another when they come again and again."""


def main() -> None:
    """Measure and print."""
    rng = random.Random(1)
    for name, make in (
        ("no secret", plain),
        ("one secret", labelled),
        ("three secrets, one of them repeated", several),
    ):
        spent = per_mail([make(rng, number) for number in range(MAILS)])
        print(f"{name:<40} {1e6 * spent:7,.0f} µs a mail, {1 / spent:8,.0f} mails/s")
    worst = sorted(((linear(unit), unit) for unit in UNITS), reverse=True)
    print(f"\n1 MB of …, the worst 8 of {len(worst)}")
    for (large, small), unit in worst[:8]:
        print(f"  {unit[:40]!r:<44} {1_000 * large:6.0f} ms, {large / max(small, 1e-4):4.1f} times that of 250 KB")
    steep = max(large / small for (large, small), _ in worst if large > 0.1)
    print(f"steepest of those above 0.1 s: {steep:.1f} times")


def plain(rng: random.Random, number: int) -> Report:
    """A trace of 30 frames."""
    trace = f"Traceback (most recent call last):\n{FRAMES}shop.Lost: order {rng.randrange(10**6)} is lost\n"
    return parse_text("Shop Failed", f"Exception on /orders/{number} [GET]\n{trace}")


def labelled(rng: random.Random, number: int) -> Report:
    """The same with a password in its message."""
    return parse_text("Shop Failed", f"password=kX9-{rng.randrange(10**6)}\n{plain(rng, number).trace}")


def several(rng: random.Random, number: int) -> Report:
    """The same with a header, a DSN and a value that comes again."""
    value = f"kX9-{rng.randrange(10**6)}"
    text = f"Authorization: Bearer {value}x\npostgres://a:{value}@db/shop\ntoken={value}y\nwith {value} again"
    return parse_text("Shop Failed", f"{text}\n{plain(rng, number).trace}")


def per_mail(reports: list[Report]) -> float:
    """Seconds of processor time."""
    return statistics.median(seconds(lambda: [redact(report) for report in reports]) for _ in range(RUNS)) / len(
        reports
    )


def linear(unit: str) -> tuple[float, float]:
    """The time of 1 MB and of 250 KB."""
    names = Names()
    times = [seconds(partial(find_secrets, unit * (size // len(unit)), names)) for size in sizes()]
    return times[0], times[1]


def sizes() -> Iterator[int]:
    """Of the texts that are compared."""
    yield MEGABYTE
    yield MEGABYTE // 4


if __name__ == "__main__":
    main()
