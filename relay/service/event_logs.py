"""structlog on top of `relay.service.logs`: events with values, for the supervisor and the worker.

structlog hands each event to `logging` under the name of the module that logged it. So all lines have one format.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import structlog

from relay.service import logs


def configure(role: str, style: str, level: str) -> None:
    """Configure `logging` as `logs.configure` does, and structlog to use it. It may be called again."""
    logs.configure(role, style, level)
    structlog.configure(
        processors=[_to_record],
        wrapper_class=structlog.make_filtering_bound_logger(0),  # `logging` filters, whose level a reload can change
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _to_record(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str, str], dict[str, Any]]:
    """Return the arguments for a method of `logging.Logger`."""
    text = str(event.pop("event", ""))
    return ("%s", text), {"exc_info": event.pop("exc_info", None), "extra": {logs.FIELDS: dict(event)}}
