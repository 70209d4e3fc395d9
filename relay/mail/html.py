"""The text of an HTML mail, for reports without a plain part: no browser, only what a trace needs to survive."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/pre|/table|/ul|/ol|/title|hr)\b[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]{0,2000}>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SILENT = ("<script", "<style", "<!--")
_ENDS = {"<script": "</script", "<style": "</style", "<!--": "-->"}
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def text_of(source: str) -> str:
    """What `source` says, without markup, scripts and styles; block ends become line ends."""
    text = _BREAK.sub("\n", _without_silent(source))
    text = _ENTITY.sub(lambda match: html.unescape(match[0]), _TAG.sub("", text))
    return _BLANKS.sub("\n\n", text.replace("\xa0", " "))


def _without_silent(source: str) -> str:
    """`source` without elements that are never shown; an unclosed one takes the rest with it."""
    lower = source.lower() if source.isascii() else source
    pieces: list[str] = []
    done = 0
    following = {start: lower.find(start) for start in _SILENT}
    while found := [(place, start) for start, place in following.items() if place >= 0]:
        place, start = min(found)
        pieces.append(source[done:place])
        end = lower.find(_ENDS[start], place)
        if end < 0:
            return "".join(pieces)
        done = end + len(_ENDS[start])
        following = {each: at if at < 0 or at >= done else lower.find(each, done) for each, at in following.items()}
    return "".join(pieces) + source[done:]
