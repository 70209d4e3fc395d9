"""Extract the text of an HTML mail without a plain part. Not a full renderer: just enough to keep traces readable."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/pre|/table|/ul|/ol|/title|hr)\b[^<>]{0,500}>", re.IGNORECASE)
_ROW = re.compile(r"<tr\b|(?P<cell></t[dh]\s{0,9}>\s{0,100}(?=<t[dh]\b))", re.IGNORECASE)
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
    text = _BREAK.sub("\n", _with_labels(_with_headings(_without_hidden(source))))
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


_TABLE_ROW = re.compile(r"<tr\b[^<>]{0,1000}>", re.IGNORECASE)
_TABLE_END = re.compile(r"</tr\s{0,9}>|</table\s{0,9}>|<tr\b", re.IGNORECASE)
_CELL = re.compile(r"<t(?P<kind>[dh])\b[^<>]{0,1000}>", re.IGNORECASE)
_CELL_END = re.compile(r"\s{0,99}</t[dh]\s{0,9}>\s{0,99}$", re.IGNORECASE)
_MIN_COLUMNS, _MAX_COLUMNS = 3, 20
_MAX_HEADING = 40
"""Characters of a column's heading."""


def _with_headings(source: str) -> str:
    """Return `source` with the rows of a table with headings as labelled lines: `Level: ERROR`, `Message: …`.

    A heading row has `<th>` cells only, or short cells in bold. It holds for the rows below with as many cells.
    """
    pieces: list[str] = []
    done = 0
    headings: list[str] = []
    while row := _TABLE_ROW.search(source, done):
        end = _TABLE_END.search(source, row.end())
        stop = end.start() if end else len(source)
        cells = _cells(source[row.end() : stop])
        pieces.append(source[done : row.start()])
        if _are_headings(cells):
            headings = [" ".join(_TAG.sub("", text).split()) for _, text in cells]
            pieces.append("<br>")
        elif headings and len(cells) == len(headings):
            pieces.append(
                "".join(f"<br>{name}: {text}" for name, (_, text) in zip(headings, cells, strict=True)) + "<br><br>"
            )
        else:
            pieces.append(source[row.start() : stop])
        done = max(stop, row.end())
        if end and end[0].lower().startswith("</table"):
            headings = []
    return "".join(pieces) + source[done:]


def _cells(row: str) -> list[tuple[str, str]]:
    """Return kind (`d` or `h`) and content of each cell of a row."""
    starts = list(_CELL.finditer(row))
    ends = [*(each.start() for each in starts[1:]), len(row)]
    return [
        (each["kind"].lower(), _CELL_END.sub("", row[each.end() : end]))
        for each, end in zip(starts, ends, strict=False)
    ]


def _are_headings(cells: list[tuple[str, str]]) -> bool:
    if not _MIN_COLUMNS <= len(cells) <= _MAX_COLUMNS:
        return False
    texts = [_TAG.sub("", text).strip() for _, text in cells]
    if not all(0 < len(text) <= _MAX_HEADING and not text.endswith(":") for text in texts):
        return False
    return all(kind == "h" or "<b>" in text.lower() or "<strong>" in text.lower() for kind, text in cells)


def _with_labels(source: str) -> str:
    """Return `source` with a colon after the first cell of each row and a space after the others."""
    at_row_start = False

    def separated(match: re.Match[str]) -> str:
        nonlocal at_row_start
        first, at_row_start = at_row_start, match["cell"] is None
        labelled = source[max(0, match.start() - 1) : match.start()] != ":"
        if at_row_start or (first and not labelled and "\n" in match[0]):
            return match[0]
        return ": " if first and labelled else " "

    return _ROW.sub(separated, source)
