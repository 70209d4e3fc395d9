"""The poison guard records which mails the worker was processing when it died.

So a mail that kills the worker is found and parked. The worker writes down each batch before it begins and clears it
afterwards. If a batch is found at the start, the last run died in it. Then its mails are processed one by one, and each
attempt is counted before it begins. Once the mail has been understood, most of that count is taken back: if a worker is
killed while it waits for the disk, the mail is hardly the cause.

The file is overwritten in place, so it needs no room on a full disk. It is never synced: it outlives the process, and a
restart of the machine makes it void.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from relay.failpoint import reach
from relay.spool.disk import make_folder, write_all

_log = logging.getLogger(__name__)

_SIZE = 16 << 10
_ATTEMPT_WEIGHT, _SURVIVED_WEIGHT = 3, 1
"""What an attempt adds to the weight of a mail, and what remains of that once the mail has been understood."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class PoisonGuard:
    """The worker's current batch and the attempts for its mails, in the file `claim` in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Load the state that the last run left in `folder`; create the folder if needed. Raises OSError."""
        make_folder(folder)
        self._fd = os.open(folder / "claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._boot = _boot_id()
        self._range: tuple[int, int] | None = None
        self._weights: dict[int, int] = {}
        self._load()

    def begin(self, position: int, end: int) -> None:
        """Record that the batch from `position` to `end` begins; attempts counted in that range are kept."""
        self._range = (position, end)
        self._weights = {at: weight for at, weight in self._weights.items() if position <= at < end}
        self._save()

    def count_attempt(self, position: int) -> int:
        """Count an attempt to process the mail at `position` alone; return the number of attempts, including this one.

        Of attempts in which the mail was understood, three count as one.
        """
        self._weights[position] = self._weights.get(position, 0) + _ATTEMPT_WEIGHT
        self._save()
        return self._weights[position] // _ATTEMPT_WEIGHT

    def survived(self, position: int) -> None:
        """Record that the mail at `position` was understood without ending this worker; it only has to be booked."""
        self._weights[position] += _SURVIVED_WEIGHT - _ATTEMPT_WEIGHT
        self._save()

    def done(self) -> None:
        """Clear the batch: it is ingested and committed."""
        if self._range is None and not self._weights:
            return
        self._range, self._weights = None, {}
        self._save()

    def interrupted_batch(self) -> tuple[int, int] | None:
        """Return the range of a batch that began and was never cleared, None if there is none."""
        return self._range

    def close(self) -> None:
        """Close the file; its content stays."""
        os.close(self._fd)

    def _load(self) -> None:
        try:
            stored: dict[str, Any] = json.loads(os.pread(self._fd, 64 * _SIZE, 0))
            if stored["boot"] == self._boot and stored["range"]:
                position, end = stored["range"]
                self._range = (int(position), int(end))
                self._weights = {int(at): int(weight) for at, weight in stored["marks"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._save()  # a new file, or torn by a power cut: nothing is known about any mail

    def _save(self) -> None:
        weights = {str(at): weight for at, weight in self._weights.items()}
        text = json.dumps({"boot": self._boot, "range": self._range, "marks": weights})
        data = text.encode().ljust(_SIZE)
        reach("claims.write")
        try:
            write_all(self._fd, data, 0)
            os.ftruncate(self._fd, len(data))
        except OSError as error:
            _log.error(
                "cannot write the poison guard's file (%s): a mail that kills the worker would not be found",
                error.strerror,
            )


def _boot_id() -> str:
    """Return an id of this boot of the machine, "" if the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
