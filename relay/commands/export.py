"""What people merged and split, as `[[rule]]` tables for relay.toml (ledger → cli).

The ledger's merges and splits hold without this. The export is for reading, for a review, and for another ledger. It
names fingerprints, so it is right as long as the version of the fingerprint is the same (`relay regroup`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from relay.ledger import Ledger
from relay.model import LEARNED, Member, SplitRule

_NOT_IN_A_NAME = re.compile(r"[^\w .-]+")
MAX_NAME = 80


def exported_rules(ledger: Ledger) -> Iterator[str]:
    """Yield one TOML table for each error that was merged by hand, and for each split."""
    for face in ledger.merged_faces():
        members = ledger.members(face.id)
        if any(each.by and each.by.author != LEARNED for each in members):
            yield _join_rule(members)
    for rule in ledger.splits():
        yield _split_rule(rule)


def _join_rule(members: list[Member]) -> str:
    face, *parts = members
    comments = [_comment(each.by.author, each.by.at.isoformat(), each.by.reason) for each in parts if each.by]
    keys = [each.group.fingerprint for each in members]
    values: dict[str, object] = {"name": _name(face.group.title, face.group.id), "action": "join", "fingerprint": keys}
    return _table(dict.fromkeys(comments), values)


def _split_rule(rule: SplitRule) -> str:
    values: dict[str, object] = {
        "name": _name(rule.title, rule.group_id),
        "action": "split",
        "by": rule.field,
        "app": rule.app,
    }
    values |= {"fingerprint": [rule.fingerprint]}
    return _table([_comment(rule.author, rule.at.isoformat(), rule.reason)], values)


def _table(comments: Iterable[str], values: dict[str, object]) -> str:
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["[[rule]]", *comments, *lines])


def _comment(author: str, at: str, reason: str) -> str:
    text = f"{author}, {at}" + (f": {reason}" if reason else "")
    return "# " + " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _name(title: str, number: int) -> str:
    """Return a name with only characters that relay.toml accepts. The ID makes it unique."""
    return f"{' '.join(_NOT_IN_A_NAME.sub(' ', title).split())[: MAX_NAME - 12]} {number}".strip()
