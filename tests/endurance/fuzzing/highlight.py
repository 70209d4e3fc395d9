"""The colours of a trace: without their spans any text is the escaped text, and no other markup is in it."""

from __future__ import annotations

import re

from markupsafe import escape

from relay.compose.highlight import highlight


def check(data: bytes) -> None:
    text = f"Traceback (most recent call last):\n{data.decode('utf-8', 'replace')}"
    text = text.replace("\r", "")

    assert re.sub(r'<span class="[a-z]">|</span>', "", highlight(text)) == str(escape(text))
