"""The text of an HTML mail, for reports without a plain part: no browser, only what a trace needs to survive."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/pre|/table|/ul|/ol|/title|hr)\b[^<>]{0,500}>", re.IGNORECASE)
_ROW = re.compile(r"<tr\b|(?P<cell>(?<!:)</t[dh]\s{0,9}>\s{0,100}(?=<t[dh]\b))", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,2000}>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SILENT = re.compile(r"<(?:script|style)\b|<!--", re.IGNORECASE)
_ENDS = {
    "<script": re.compile(r"</script[^>]{0,100}>", re.IGNORECASE),
    "<style": re.compile(r"</style[^>]{0,100}>", re.IGNORECASE),
}
_COMMENT_END = re.compile(r"-->")
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def text_of(source: str) -> str:
    """What `source` says, without markup, scripts and styles; block ends become line ends.

    A row's first cell names what stands in the next: `password: …`, so that what is secret can be told.
    """
    text = _BREAK.sub("\n", _with_names(_without_silent(source)))
    text = _ENTITY.sub(lambda match: html.unescape(match[0]), _TAG.sub("", text))
    return _BLANKS.sub("\n\n", text.replace("\xa0", " "))


def _without_silent(source: str) -> str:
    """`source` without elements that are never shown; an unclosed one takes the rest with it."""
    pieces: list[str] = []
    done = 0
    while start := _SILENT.search(source, done):
        pieces.append(source[done : start.start()])
        end = _ENDS.get(start[0].lower(), _COMMENT_END).search(source, start.end())
        if end is None:
            return "".join(pieces)
        done = end.end()
    return "".join(pieces) + source[done:]


def _with_names(source: str) -> str:
    """`source` with a colon behind the first cell of each row, and a blank behind the others."""
    begins = False

    def separated(match: re.Match[str]) -> str:
        nonlocal begins
        first, begins = begins, match["cell"] is None
        return match[0] if begins else ": " if first else " "

    return _ROW.sub(separated, source)
