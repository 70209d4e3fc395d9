"""Fingerprint many texts at once, without spool or ledger (`relay fingerprint`, to measure the grouping).

Each text is processed like a mail: parse, redact, fingerprint. Its key depends only on that text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from relay.redact import redact


def fingerprint_lines(lines: Iterable[str]) -> Iterator[str]:
    """Convert JSON lines `{id, subject, body}` to JSON lines `{id, fingerprint}`; skip blank lines.

    Raises ValueError with the line number for a line that is not such an object.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield json.dumps(_fingerprint_of_line(line, number))


def _fingerprint_of_line(line: str, number: int) -> dict[str, Any]:
    try:
        mail = json.loads(line)
        report = parse_text(str(mail.get("subject") or ""), str(mail.get("body") or ""))
        return {"id": mail["id"], "fingerprint": fingerprint(redact(report)).key}
    except (ValueError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON object with id, subject and body") from error
