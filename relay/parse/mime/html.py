"""Extract the text of an HTML mail without a plain part. Not a full renderer: just enough to keep traces readable."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/pre|/table|/ul|/ol|/title|hr)\b[^<>]{0,500}>", re.IGNORECASE)
_ROW = re.compile(r"<tr\b|(?P<cell>(?<!:)</t[dh]\s{0,9}>\s{0,100}(?=<t[dh]\b))", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,2000}>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_HIDDEN = re.compile(r"<(?:script|style)\b|<!--", re.IGNORECASE)
_ENDS = {
    "<script": re.compile(r"</script[^>]{0,100}>", re.IGNORECASE),
    "<style": re.compile(r"</style[^>]{0,100}>", re.IGNORECASE),
}
_COMMENT_END = re.compile(r"-->")
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def text_of(source: str) -> str:
    """Return the text of `source` without markup, scripts and styles. The end of a block becomes a line end.

    The first cell of a row becomes a label of the next (`password: …`), so that redaction can recognize a secret.
    """
    text = _BREAK.sub("\n", _with_labels(_without_hidden(source)))
    text = _ENTITY.sub(lambda match: html.unescape(match[0]), _TAG.sub("", text))
    return _BLANKS.sub("\n\n", text.replace("\xa0", " "))


def _without_hidden(source: str) -> str:
    """Return `source` without scripts, styles and comments. An unclosed one is removed to the end of the source."""
    pieces: list[str] = []
    done = 0
    while start := _HIDDEN.search(source, done):
        pieces.append(source[done : start.start()])
        end = _ENDS.get(start[0].lower(), _COMMENT_END).search(source, start.end())
        if end is None:
            return "".join(pieces)
        done = end.end()
    return "".join(pieces) + source[done:]


def _with_labels(source: str) -> str:
    """Return `source` with a colon after the first cell of each row and a space after the others."""
    at_row_start = False

    def separated(match: re.Match[str]) -> str:
        nonlocal at_row_start
        first, at_row_start = at_row_start, match["cell"] is None
        return match[0] if at_row_start else ": " if first else " "

    return _ROW.sub(separated, source)
