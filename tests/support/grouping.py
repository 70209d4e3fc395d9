"""Measure how well grouping separates and joins the errors in tests/data/grouping.

    python -m tests.support.grouping

prints it for each file, and in it for each language.
"""

import json
from collections import Counter, defaultdict
from functools import cached_property

from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from relay.redact import redact
from tests.support.paths import DATA

FILES = ("own.jsonl", "wide.jsonl", "further.jsonl", "later.jsonl")


class Scored:
    """One file of labelled mails and what the fingerprint makes of them, worked out once."""

    def __init__(self, name, mails=()):
        self.name = name
        self.mails = mails or [
            json.loads(line) for line in (DATA / "grouping" / name).read_text(encoding="utf-8").splitlines()
        ]

    @cached_property
    def keys(self):
        return {mail["id"]: key_of(mail) for mail in self.mails}

    @cached_property
    def core(self):
        return [mail for mail in self.mails if mail["variant"] != "pyver_hard"]

    def of(self, language):
        """The part in one language."""
        part = Scored(self.name, [mail for mail in self.mails if mail["lang"] == language])
        part.keys = self.keys
        return part

    def groups(self, by):
        found = defaultdict(set)
        for mail in self.core:
            found[by(mail)].add(mail["id"])
        return found

    def f1(self):
        """Of all pairs of mails: how many that belong together are together, and the other way round."""
        key = self.keys
        both = pairs(Counter((mail["label"], key[mail["id"]]) for mail in self.core).values())
        labelled, found = (self.groups(by) for by in (lambda mail: mail["label"], lambda mail: key[mail["id"]]))
        return 2 * both / sum(pairs(map(len, groups.values())) for groups in (labelled, found))

    def grouping_accuracy(self):
        """The share of mails whose group holds exactly the mails of their error."""
        labels = {frozenset(group) for group in self.groups(lambda mail: mail["label"]).values()}
        groups = self.groups(lambda mail: self.keys[mail["id"]]).values()
        return sum(len(group) for group in groups if frozenset(group) in labels) / len(self.core)

    def group_accuracy(self):
        """FGA: the F1 of errors found whole. Each error counts once, however rare it is."""
        labels = {frozenset(group) for group in self.groups(lambda mail: mail["label"]).values()}
        found = {frozenset(group) for group in self.groups(lambda mail: self.keys[mail["id"]]).values()}
        return 2 * len(labels & found) / (len(labels) + len(found))


def key_of(mail):
    return fingerprint(redact(parse_text(mail["subject"], mail["text"]))).key


def pairs(sizes):
    return sum(size * (size - 1) // 2 for size in sizes)


def figures(scored):
    """One line of a table."""
    errors = len({mail["label"] for mail in scored.core})
    scores = f"F1 {scored.f1():.3f}  GA {scored.grouping_accuracy():.3f}  FGA {scored.group_accuracy():.3f}"
    return f"{len(scored.core):5} mails {errors:4} errors  {scores}"


def main():
    """Print them."""
    for name in FILES:
        scored = Scored(name)
        print(f"{name:<12}{figures(scored)}")
        for language in sorted({mail["lang"] for mail in scored.mails}):
            print(f"  {language:<10}{figures(scored.of(language))}")


if __name__ == "__main__":
    main()
