"""The parts that a fingerprint is made of, kept apart: what `comparison` and `correlation` look at.

`fingerprint` puts these very parts into one key: reports with equal `parts` have equal keys, and no others have.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.grouping.fingerprint import Link, chain_of, said_by, site_of, words_of
from relay.model import Report
from relay.parameterize.template import Template
from relay.traces import Frame

__all__ = ["Anatomy", "Link", "anatomy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """What a report consists of."""

    chain: tuple[Link, ...]
    """The errors of its trace, oldest cause first; empty where it has none."""
    said: Template
    """The log message without data; it counts only where there is no trace."""
    words: tuple[str, ...]
    """What of it counts."""
    site: tuple[str, str, str]
    """File, function and logger, as far as the mail says; they count only where there is no trace."""

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """All that counts."""
        if not self.chain:
            return (("message",), self.site, self.words)
        chain = dict.fromkeys(link.part for link in self.chain if not link.error.member)
        members = {link.part for link in self.chain if link.error.member}
        return (("trace",), tuple(chain), tuple(sorted(members)))

    @property
    def calls(self) -> tuple[Frame, ...]:
        """Every call of the trace."""
        return tuple(frame for link in self.chain for frame in link.error.frames)


def anatomy(report: Report) -> Anatomy:
    """The parts of `report`. Any report has some."""
    said = said_by(report)
    return Anatomy(chain=tuple(chain_of(report)), said=said, words=words_of(report, said), site=site_of(report))
