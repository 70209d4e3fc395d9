"""Error mails of 120 programs with the right answer for each (tests/data/senders), and the relay's reading of them.

    python -m tests.support.program_mails

prints for each batch how many mails are read right.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from relay.grouping.fingerprint import fingerprint
from relay.parse.bounces import Ourselves
from relay.parse.report import parse_all
from relay.redact import redact
from tests.support.mails import record
from tests.support.paths import DATA

FOLDER = DATA / "senders"
OURS = Ourselves(domain="example.com", recipients=frozenset({"admin@example.com"}))
"""The relay that gets the mails. They are not about its own mails, although their hosts are in the same domain."""


class Group(NamedTuple):
    """The mails that are shown as one error have the same group."""

    app: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the relay makes of one mail."""

    group: Group
    title: str
    level: str
    own: bool


@dataclass(frozen=True, kw_only=True)
class Error:
    """One error of one program, with its mails and the answer that is right for each of them."""

    name: str
    """The program, a colon, the error."""
    batch: int
    """Batches 1 to 4 were collected one after the other, each after the relay's rules were improved with the last one.
    No rule was changed for batches 5 and 6, which were collected together after that."""
    mails: tuple[str, ...]
    """Files in `FOLDER`."""
    title: tuple[str, ...]
    """Texts that are in its title. Case does not count."""
    title_not: tuple[str, ...]
    """Texts that are not in its title."""
    level: str | None
    """None: the mail states none."""


def _error(line: str) -> Error:
    given = json.loads(line)
    program = given["error"].partition(":")[0]
    return Error(
        name=given["error"],
        batch=given["batch"],
        mails=tuple(f"{program}/{mail}.eml" for mail in given["mails"]),
        title=tuple(given.get("title", ())),
        title_not=tuple(given.get("title_not", ())),
        level=given.get("level"),
    )


ERRORS = tuple(map(_error, (FOLDER / "answers.jsonl").read_text(encoding="utf-8").splitlines()))
KNOWN_WRONG = {
    name: frozenset(faults)
    for name, faults in json.loads((FOLDER / "known_wrong.json").read_text(encoding="utf-8")).items()
}
"""The faults of each error that the relay reads wrong."""


def faults_of(error: Error) -> frozenset[str]:
    """Return what is wrong with the reading of its mails: `split`, `merged`, `title`, `level`, `own`."""
    return frozenset(fault for mail in error.mails for fault in faults_in(error, mail))


def faults_in(error: Error, mail: str) -> frozenset[str]:
    """Return what is wrong with the reading of one mail of `error`; empty if nothing is."""
    found = reading_of(mail)
    title = found.title.lower()
    wrong = {
        "split": any(reading_of(other).group != found.group for other in error.mails),
        "merged": _errors_by_group()[found.group] != {error.name},
        "title": any(text.lower() not in title for text in error.title)
        or any(text.lower() in title for text in error.title_not),
        "level": error.level not in (None, found.level),
        "own": found.own,
    }
    return frozenset(fault for fault, holds in wrong.items() if holds)


@cache
def reading_of(mail: str) -> Reading:
    """Parse, redact and fingerprint a mail as ingest does."""
    report = redact(parse_all(record((FOLDER / mail).read_bytes(), sender=""), (), OURS)[0])
    found = fingerprint(report)
    return Reading(group=Group(report.app, found.key), title=found.title, level=report.level.name, own=report.own)


@cache
def _errors_by_group() -> dict[Group, set[str]]:
    errors = defaultdict(set)
    for error in ERRORS:
        for mail in error.mails:
            errors[reading_of(mail).group].add(error.name)
    return errors


def main() -> None:
    """Print the score of each batch."""
    for batch in sorted({error.batch for error in ERRORS}):
        errors = [error for error in ERRORS if error.batch == batch]
        mails = [not faults_in(error, mail) for error in errors for mail in error.mails]
        print(
            f"batch {batch}: {sum(mails)} of {len(mails)} mails ({sum(mails) / len(mails):.3f}), "
            f"{sum(not faults_of(error) for error in errors)} of {len(errors)} errors right"
        )


if __name__ == "__main__":
    main()
