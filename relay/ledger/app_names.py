"""App names that were guessed from subjects, bounded for each sender (ingest → ledger).

Guarantee: with any number of workers, a sender has at most `most` names at any time, and a name that it has stays until
it was not seen for as long as counts are kept (`purge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.columns import storable
from relay.ledger.engine import Database
from relay.ledger.rows import chunks
from relay.ledger.schema import guessed_apps
from relay.ledger.upsert import upsert

SenderAndApp = tuple[str, str]


class AppNames(Database):
    """The part of the ledger for `ingest.app_names`."""

    def admit_app_names(self, pairs: Collection[SenderAndApp], now: datetime, *, most: int) -> set[SenderAndApp]:
        """Return those of `pairs` (sender and name) that count: a sender's first `most` names, in the order of `pairs`.

        The names are stored, as seen at `now`.
        """
        stored = {pair: (storable(pair[0]), storable(pair[1])) for pair in pairs}
        with self._write(WriteMode.EXCLUSIVE) as connection:
            names = _names_of(connection, {sender for sender, _ in stored.values()})
            admitted = set()
            for pair, (sender, app) in stored.items():
                if app in names[sender] or len(names[sender]) < most:
                    names[sender].add(app)
                    admitted.add(pair)
            rows = [{"sender": stored[pair][0], "app": stored[pair][1], "at": now} for pair in sorted(admitted)]
            if rows:
                connection.execute(upsert(connection, guessed_apps, put=["at"]), rows)
        return admitted


def _names_of(connection: Connection, senders: Collection[str]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for chunk in chunks(senders):
        query = select(guessed_apps.c.sender, guessed_apps.c.app).where(guessed_apps.c.sender.in_(chunk))
        for sender, app in connection.execute(query):
            names[sender].add(app)
    return names
