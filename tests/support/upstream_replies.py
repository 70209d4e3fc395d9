"""Real replies of mail providers (`tests/data/upstream_replies.tsv`), and the page with the relay's verdict on each.

python -m tests.support.upstream_replies     writes docs/upstream-replies.md
"""

from __future__ import annotations

from typing import NamedTuple

from relay.deliver.replies import MAX_TEXT, one_text
from relay.model import RecipientReply, Verdict, cause_of
from relay.outbox.advice import advice_on
from tests.support.paths import DATA, DOCS

FILE = DATA / "upstream_replies.tsv"
PAGE = DOCS / "upstream-replies.md"
_HEAD = """\
# What the relay makes of an upstream's replies

Replies of mail providers, as they document them or as their users report them, with the verdict of the relay and
the advice that the log, `/readyz`, the dashboard, `relay status` and `relay send-test` show. The enhanced status code
counts first if it means one thing, then the words, then the code. `python -m tests.support.upstream_replies` writes
this page; a test checks each line.

| verdict | what the relay does |
|---|---|
| accepted | It is done with this recipient. |
| wait | It tries again with growing pauses (`upstream.retry`), until `upstream.give_up_after`. |
| wait long | The same, always with the longest of these pauses: a limit or a full mailbox, whatever the code. |
| this recipient, this message | It tries three times within an hour. Other recipients or digests are not affected. |
| our settings | As "wait long": the digest goes out once the setting is right. After a failed AUTH: once an hour. |

A message that is too large is sent again at once with less in it.

| provider | step | reply | verdict | advice |
|---|---|---|---|---|
"""


class ProviderReply(NamedTuple):
    """One line of the file."""

    provider: str
    step: str
    raw: str
    """The lines of the reply as sent."""
    verdict: str
    cause: str

    @property
    def code(self) -> int:
        """The reply code."""
        return int(self.raw[:3])

    @property
    def text(self) -> str:
        """The text as the relay keeps it."""
        return one_text("\n".join(line[4:] for line in self.raw.splitlines()))[:MAX_TEXT]

    @property
    def reply(self) -> RecipientReply:
        """The reply as the relay stores it, about one recipient."""
        return RecipientReply(verdict=Verdict.TEMPORARY, code=self.code, text=self.text, step=self.step)


def load() -> list[ProviderReply]:
    """Return all replies."""
    lines = [line.split("\t") for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [
        ProviderReply(who, step, raw.replace("\\n", "\n"), verdict, cause) for who, step, raw, verdict, cause in lines
    ]


def page() -> str:
    """Return the page as Markdown."""
    rows = []
    for each in load():
        verdict = cause_of(each.code, each.text, each.step).meaning
        shown = f"`{each.code} {each.text}`".replace("|", "\\|")
        rows.append(f"| {each.provider} | {each.step} | {shown} | {verdict} | {advice_on(each.reply)} |")
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
