"""Errors that are nearly the same as a given one (ledger → grouping → cli, web).

Cost: the `MAX_COMPARED` errors of the route that were seen last are compared by their newest samples, in two queries.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.grouping.similar import difference, likeness, words_of
from relay.ledger import Ledger
from relay.model import Group

MAX_COMPARED = 500
"""Errors that are compared with the given one."""
MAX_FOUND = 10
"""Errors that are returned."""
ALIKE = 0.7
"""The least likeness of an error that is returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarError:
    """An error that is nearly the same as another one."""

    group: Group
    likeness: float
    """From 0.0 to 1.0."""
    difference: str
    """The words that differ."""


def similar_errors(ledger: Ledger, error: int) -> list[SimilarError] | None:
    """Return the errors that are most like this one, the most similar first; None without such an error or sample."""
    face = ledger.face_of(error)
    own = ledger.samples_of(face.id) if face else []
    if face is None or not own:
        return None
    words = words_of(own[0].report)
    others = {each.id: each for each in ledger.groups(limit=MAX_COMPARED, route=face.route) if each.id != face.id}
    with ledger.snapshot() as reads:
        samples = reads.samples(list(others))
    found: list[SimilarError] = []
    for number, report in samples.items():
        theirs = words_of(report)
        alike = likeness(words, theirs, at_least=ALIKE)
        if alike >= ALIKE:
            found.append(SimilarError(group=others[number], likeness=alike, difference=difference(words, theirs)))
    return sorted(found, key=lambda each: -each.likeness)[:MAX_FOUND]
