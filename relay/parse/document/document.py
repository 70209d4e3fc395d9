"""Read a decoded text as a document: which part of it is the error, and why (mime → document → report).

Mails of the documented layouts are read by `layouts` alone. For any other text, the worst of several log records, or
the statement of the text, takes the place of the whole text. The rest stays as context.

Guarantee: any text gives a Document, in time linear in the text. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relay import traces
from relay.model import Form, Level
from relay.parameterize.failure_words import STRONG
from relay.parse import layouts
from relay.parse.document import labelled_records, records, segment, statement, unwrap
from relay.parse.document.records import LogRecord
from relay.parse.document.segment import Block
from relay.parse.layouts import Layout, line_prefix, logline, syslog

MAX_FURTHER = 20
"""Further errors of one mail that are reported besides the worst one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a mail's text says. `layout.text` is the message and the trace of the error."""

    layout: Layout
    reason: str
    """Why this is the error, in plain words; see `relay explain`."""
    headline: str = ""
    """The line that names the error; "" for the first line of the message."""
    names: tuple[tuple[str, str], ...] = ()
    """Labelled things that failed and are part of the error: ("service", "web")."""
    partial: bool = False
    """True if the text contains more than the error."""
    strong: bool = True
    """False if the text does not say that anything failed. Then the subject counts."""
    further: tuple[Layout, ...] = ()
    """Other records of the text that are errors, in order; at most `MAX_FURTHER`."""
    blocks: tuple[str, ...] = ()
    """The blocks of the text, one line for each, for `relay explain`."""


def read(subject: str, text: str) -> Document:
    """Return the document of `text` (clean, lines end with a newline)."""
    layout = layouts.read_documented(text)
    if layout is not None:
        return Document(layout=layout, reason="documented mail format")
    stripped, fields = syslog.strip_headers(text.split("\n"))
    # Records that begin alike look like lines with the prefix of a log collector: they keep their beginnings.
    lines = stripped if records.are_records(stripped) else line_prefix.strip_prefixes(stripped)
    lines = labelled_records.as_log_lines(_unwrapped(lines))
    found = records.records_in(lines)
    document = _of_records(subject, lines, found) if _needs_choice(lines, found) else None
    return _with_fields(document or _of_text(subject, lines), fields)


def _needs_choice(lines: Sequence[str], found: Sequence[LogRecord]) -> bool:
    """Return True if the text is more than one record, or one that no known layout reads."""
    if not found:
        return False
    return len(found) > 1 or any(map(str.strip, lines[: found[0].start])) or logline.read(lines) is None


def _unwrapped(lines: list[str]) -> list[str]:
    """Return `lines` as they were before a mailer broke them; unchanged if that shows no more than they do."""
    all_joined = unwrap.joined(lines, prose=False)
    sentences = None if all_joined else unwrap.joined(lines, prose=True)
    if not all_joined and not sentences:
        return lines
    found = _structure(lines)
    if all_joined and _structure(all_joined) > found:
        return all_joined
    has_frames = found[0] > 0
    return lines if has_frames else sentences or unwrap.joined(lines, prose=True) or lines


def _structure(lines: Sequence[str]) -> tuple[int, int]:
    """Return how much of a structure is found in `lines`: frames of a stack trace, log records."""
    trace = traces.find("\n".join(lines))
    frames = sum(len(error.frames) for error in trace.errors) if trace else 0
    return frames, len(records.records_in(lines))


def _with_fields(document: Document, fields: dict[str, str]) -> Document:
    if not fields:
        return document
    return replace(document, layout=replace(document.layout, fields=fields | document.layout.fields))


# --- Several log records ----------------------------------------------------------------------------------------------


def _of_records(subject: str, lines: Sequence[str], found: Sequence[LogRecord]) -> Document | None:
    worst = max(record.level for record in found)
    if worst < Level.WARNING or not _are_a_log(lines, found):
        return None
    chosen = [record for record in found if record.level == worst][-1]
    others = [record for record in found if record.level >= Level.ERROR and record is not chosen]
    plural = "s" if len(found) > 1 else ""
    return Document(
        layout=_record_layout(subject, lines, chosen),
        reason=f"worst of {len(found)} log record{plural}",
        partial=True,
        further=tuple(_record_layout(subject, lines, record) for record in others[-MAX_FURTHER:]),
        blocks=tuple(f"record: {each.level.name}, line {each.start + 1}" for each in found[:50]),
    )


def _are_a_log(lines: Sequence[str], found: Sequence[LogRecord]) -> bool:
    """Return True if the records are what the text consists of, and not some lines that begin with such a word."""
    return found[0].timed or (len(found) > 1 and not any(line.strip() for line in lines[: found[0].start]))


def _record_layout(subject: str, lines: Sequence[str], record: LogRecord) -> Layout:
    layout = layouts.layout_of(subject, list(lines[record.start : record.end]))
    first = lines[record.start]
    if layout.level is None and layout.text.startswith(first[:200]):
        head = records.head_of(first)
        if head is not None and head.end:
            rest, logger = records.without_decoration(first[head.end :])
            fields = {"logger": logger, **layout.fields} if logger else layout.fields
            layout = replace(layout, text=(rest + layout.text[len(first) :]).strip("\n"), fields=fields)
    return replace(layout, level=layout.level or record.level)


# --- Any other text ---------------------------------------------------------------------------------------------------


def _of_text(subject: str, lines: list[str]) -> Document:
    layout = layouts.layout_of(subject, lines)
    if layout.form is not Form.PLAIN:
        return Document(layout=layout, reason=f"{layout.form} mail format")
    if trace := traces.find(layout.text):
        return _of_trace(layout, trace)
    body = layout.text.split("\n")
    blocks = segment.blocks_of(body)
    found = statement.choose(blocks)
    if found is None:
        return Document(layout=layout, reason="the whole text", strong=False)
    text = "\n".join(found.lines)
    return Document(
        layout=replace(layout, text=text, level=layout.level or found.level or statement.level_in(subject)),
        reason=found.reason,
        headline=found.headline if found.headline != found.lines[0] else "",
        names=found.names,
        partial=text.strip() != layout.text.strip(),
        strong=found.strong,
        blocks=tuple(map(_described, blocks[:50])),
    )


def _of_trace(layout: Layout, trace: traces.Trace) -> Document:
    """Return the document of a text with a stack trace. If the trace does not name the exception, the text does."""
    reason = f"{trace.language} stack trace"
    if trace.errors[-1].type:
        return Document(layout=layout, reason=reason)
    around = f"{layout.text[: trace.start]}\n\n{layout.text[trace.end :]}"
    found = statement.choose(segment.blocks_of(around.split("\n")))
    named = statement.exception_in(around)
    if named:
        return Document(layout=layout, reason=f"{reason}, and the text names its exception", headline=named)
    if found is None or not found.strong:
        return Document(layout=layout, reason=reason)
    label = " with a labelled exception type" if found.type else ", and a line that names the failure"
    level = layout.level or found.level
    return Document(layout=replace(layout, level=level), reason=f"{reason}{label}", headline=found.headline)


def _described(block: Block) -> str:
    first = block.lines[0]
    score = f", names a failure ({block.score})" if block.score >= STRONG else ""
    return f"{block.kind}: lines {first.number + 1} to {block.lines[-1].number + 1}{score}"
