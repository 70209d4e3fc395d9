"""Which mails the worker was at when it died: so that one which kills it is found out and set aside.

The worker claims each batch before it begins and lets go of it afterwards. A claim found at
the start means that the last run died in it; then each mail of it is marked before it is
tried by itself. Once it is understood, most of the mark is taken back: what ends a worker
that waits for the disk is hardly the mail. The file is overwritten in place (it needs no
room on a full disk) and never synced: it outlives the process, and is void after a restart
of the machine.
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
"""What a mail's mark grows by when it is begun, and what of that stays once it is understood."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class PoisonGuard:
    """The worker's claim on the batch in hand, kept in the file `claim` in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Take up what the last run left in `folder`, making it where there is none. Raises OSError."""
        make_folder(folder)
        self._fd = os.open(folder / "claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._boot = _boot_id()
        self._range: tuple[int, int] | None = None
        self._weights: dict[int, int] = {}
        self._load()

    def begin(self, position: int, end: int) -> None:
        """Claim what stands from `position` to `end`; marks in that range, from an earlier run, stay."""
        self._range = (position, end)
        self._weights = {at: weight for at, weight in self._weights.items() if position <= at < end}
        self._save()

    def count_attempt(self, position: int) -> int:
        """Note that the mail at `position` is about to be tried alone; return how often it was, this time included.

        Of the times at which it was understood, three count as one.
        """
        self._weights[position] = self._weights.get(position, 0) + _ATTEMPT_WEIGHT
        self._save()
        return self._weights[position] // _ATTEMPT_WEIGHT

    def survived(self, position: int) -> None:
        """Note that the mail at `position` has not ended this worker, which has only to book it."""
        self._weights[position] += _SURVIVED_WEIGHT - _ATTEMPT_WEIGHT
        self._save()

    def done(self) -> None:
        """Let go: the batch is sorted and committed."""
        if self._range is None and not self._weights:
            return
        self._range, self._weights = None, {}
        self._save()

    def interrupted_batch(self) -> tuple[int, int] | None:
        """Return the range that was claimed and never let go of, None where there is none."""
        return self._range

    def close(self) -> None:
        """Close the file; what it says stays."""
        os.close(self._fd)

    def _load(self) -> None:
        try:
            stored: dict[str, Any] = json.loads(os.pread(self._fd, 64 * _SIZE, 0))
            if stored["boot"] == self._boot and stored["range"]:
                position, end = stored["range"]
                self._range = (int(position), int(end))
                self._weights = {int(at): int(weight) for at, weight in stored["marks"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._save()  # new, or torn by a power cut: nothing to say about any mail

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
                "the worker's claim cannot be stored (%s): a mail that kills it would not be found", error.strerror
            )


def _boot_id() -> str:
    """What tells this start of the machine from the one before; "" where the system has no such thing."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
