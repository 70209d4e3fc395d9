"""Highlighting a trace only adds color spans: without them the result is the escaped text, with no other markup."""

from __future__ import annotations

import re

from markupsafe import escape

from relay.compose.highlight import highlight


def check(data: bytes) -> None:
    text = f"Traceback (most recent call last):\n{data.decode('utf-8', 'replace')}"
    text = text.replace("\r", "")

    assert re.sub(r'<span class="[a-z]">|</span>', "", highlight(text)) == str(escape(text))
