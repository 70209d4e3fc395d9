"""Read received digests as a person does: which errors they report, and how many mails of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from email import message_from_bytes, policy

from tests.support.upstream import Mail

HEADING = re.compile(r"^(?:\d+ of \d+: )?(NEW|ONGOING|AGAIN|SPIKE|BACK|ENDED): (.+)$", re.MULTILINE)
COUNT = re.compile(r"^Count: +([\d,]+)", re.MULTILINE)


def text_of(mail: Mail) -> str:
    """Return the text part of a mail, with LF line ends."""
    part = message_from_bytes(mail.raw, policy=policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def unique(mails: Iterable[Mail]) -> list[Mail]:
    """Return each mail once: a digest that is sent again has the same Message-ID."""
    return list({mail.message_id: mail for mail in mails}.values())


def reported_counts(mails: Iterable[Mail]) -> Counter[str]:
    """Return the count of each error in these digests, by its title."""
    counts: Counter[str] = Counter()
    for mail in unique(mails):
        text = text_of(mail)
        headings = list(HEADING.finditer(text))
        for heading, end in zip(headings, [*(each.start() for each in headings[1:]), len(text)], strict=True):
            count = COUNT.search(text, heading.end(), end)
            counts[heading[2]] += int(count[1].replace(",", "")) if count else 0
    return counts
