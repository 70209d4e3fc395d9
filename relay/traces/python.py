"""Parse tracebacks of Python, as printed by 2.7 to 3.14, by Django's report, by Twisted and by log handlers.

Supported: chains (cause and context), exception groups, notes, SyntaxError, "[Previous line repeated …]", caret lines,
missing source lines, tracebacks of pool workers, tracebacks that are cut off.

The usual traceback (one stack, one exception) has a fast path, and stacks are memoized. Both give the same result as
parsing line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from relay.memo import memoized
from relay.traces.frames import CUT_MARKER_PREFIX, Error, Frame, SourceLine, Stack, Trace, with_text_offsets
from relay.traces.paths import python_place

NAME = "Python"
MARKERS = ("Traceback (most recent call", 'File "')
LINES: tuple[str, ...] = ()

_HEADING = "Traceback (most recent call"
_FRAME = re.compile(r'(?P<indent>[ \t>]*)File "(?P<path>[^"]*)"(?P<line>, line \d+)?(?:,? in (?P<function>.*))?$')
_MARGIN = re.compile(r"[ ]*[|+](?:-\+)?[ ]?")
"""The margin of each line of an exception group."""
_TYPE = re.compile(r"(?P<type>[^\W\d][\w.]*(?:\[[\w., ]+\])?)(?::[ ]?(?P<message>.*))?$")
_CHAIN_PHRASES = ("The above exception", "During handling of the above exception")
_DJANGO_CAUSE = re.compile(r"(?:The above|During handling of the above) exception \((.*?)\)[ ,]")
_DJANGO_TYPE = re.compile(r"Exception Type: (\S+)")
_DJANGO_VALUE = "Exception Value: "
_QUALIFIERS = ("builtins.", "exceptions.", "__main__.")
_BLANK = (" ", "\t")
_INLINED = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>"))
"""Separate frames up to Python 3.11, since then part of the function (PEP 709)."""


def read(text: str) -> Trace | None:
    """Return the first traceback in `text` with its whole chain; see `Language.read`."""
    excerpt, known = _last_trace[0]
    if text == excerpt:
        return known
    places = [place for marker in MARKERS if (place := text.find(marker)) >= 0]
    if not places:
        return None
    start = text.rfind("\n", 0, min(places)) + 1
    if text.startswith(_PLAIN_HEADING, start) and (trace := _plain(text, start)):
        return trace
    try:
        return _read(_folded(text[start:]), start)
    except _UnfoldableError:
        return _read(text[start:].split("\n"), start)


def _read(lines: Sequence[str], start: int) -> Trace | None:
    """Parse lines; some may be folded runs (`_folded`). The first line begins at offset `start` of the text.

    Raises _UnfoldableError if the lines of a folded run must be parsed one by one.
    """
    reader = _Reader()
    number = 0
    while number < len(lines):
        number = reader.take_stack(number, lines) or reader.take(number, lines[number], lines)
    trace = reader.result()
    return trace and with_text_offsets(trace, lines, start)


# --- A stack of calls -------------------------------------------------------------------------------------------------

MAX_MEMOIZED_STACK = 16_384
"""Bytes of the largest stack that is memoized."""
MAX_MEMOIZED_STACKS = 1_000_000
"""Bytes of all memoized stacks together, with their frames."""
_UNINDENTED = re.compile(r"\n(?![ \t])")


@memoized(size=MAX_MEMOIZED_STACKS, largest=MAX_MEMOIZED_STACK, times=2)
def _stack(text: str) -> Stack:
    """Return the frames in `text`, which consists of indented lines; () if it contains any other line.

    Memoized: a repeated error has the same stack with another message, and each stack is read twice, by parse and by
    fingerprint.
    """
    if text[:1] not in _BLANK or _UNINDENTED.search(text) or _HEADING in text:
        return ()
    matches = (_FRAME.match(line) for line in text.split("\n") if 'File "' in line)
    return tuple(_frames(match for match in matches if match))


def _frames(matches: Iterable[re.Match[str]]) -> Iterable[Frame]:
    for match in matches:
        function = (match["function"] or "").strip()
        if function not in _INLINED:
            file, origin, package = python_place(match["path"])
            yield Frame(file, function, origin, package)


# --- Source lines -----------------------------------------------------------------------------------------------------

MAX_SOURCE = 2_000
"""Characters of the end of a stack in which source lines are read: about ten frames."""
MAX_SOURCE_LINES = 60
_MARKS = re.compile(r"[ \t]*[~^][~^ \t]*$")
_REPEATED = "[Previous line repeated"
_LEFT_OUT = re.compile(r"[ \t]*\.\.\.<\d+ lines?>\.\.\.$")
"""What Python 3.13 prints in place of the middle of a statement of many lines."""


def source_lines(source: str) -> Iterator[SourceLine]:
    """Yield the source lines of `Error.source`, the innermost frame first."""
    below: list[str] = []
    for line in reversed(source.split("\n")):
        match = _FRAME.match(line) if 'File "' in line else None
        if match is None:
            below.append(line)
            continue
        for frame in _frames((match,)):
            yield _source_line(frame, below[::-1])
        below = []


def _source_line(frame: Frame, lines: Sequence[str]) -> SourceLine:
    """Return the source line of a frame; from Python 3.13 on, the lines of its statement. Empty if some are missing."""
    if len(lines) == 1 and (only := lines[0].strip()):
        return SourceLine(frame, only, only)
    code = [line for line in lines if not _MARKS.match(line) and not line.lstrip().startswith(_REPEATED)]
    if not code or any(_LEFT_OUT.match(line) for line in code):
        return SourceLine(frame, "", "")
    whole = "\n".join(code)
    marks = next((line for line in lines if _MARKS.match(line)), "").rstrip()
    marked = code[0][len(marks) - len(marks.lstrip()) : len(marks)] if marks and len(code) == 1 else ""
    return SourceLine(frame, marked.strip() or whole.strip(), whole.strip())


# --- The fast path: one stack, one exception --------------------------------------------------------------------------

_PLAIN_HEADING = "Traceback (most recent call last):\n"
_NOT_PLAIN = (_HEADING, 'File "', CUT_MARKER_PREFIX, _DJANGO_VALUE, "Exception Type: ", *_CHAIN_PHRASES)
"""The fast path does not apply if the text below the stack contains one of these."""


def _plain(text: str, start: int) -> Trace | None:
    """Return the same as `_read`, but faster, for the usual trace: a heading at `start`, one stack, one exception.

    Return None if the text contains anything else and must be parsed line by line.
    """
    first = start + len(_PLAIN_HEADING)
    last = text.rfind("\n ", first - 1)
    gap = text.find("\n", last + 1)
    if last < 0 or gap < 0 or not (frames := _stack(text[first:gap])):
        return None
    rest = text[gap + 1 :]
    line = rest.partition("\n")[0]
    match = _TYPE.match(line.strip())
    if match is None or line[0] in _BLANK or any(marker in rest for marker in _NOT_PLAIN):
        return None
    blank = rest.find("\n\n", len(line))
    end = blank if blank >= 0 else len(rest) - rest.endswith("\n")
    stop = gap + 1 + end
    source = text[max(first, gap - MAX_SOURCE) : gap]
    errors = (_error(match["type"], match["message"] or "", frames, source=source),)
    if stop - start <= MAX_MEMOIZED_STACK:
        _last_trace[0] = (text[start:stop], Trace(language=NAME, errors=errors, start=0, end=stop - start))
    return Trace(language=NAME, errors=errors, start=start, end=stop)


_last_trace: list[tuple[str, Trace | None]] = [("", None)]
"""The last trace of the fast path, as a text of its own: the fingerprint of the same mail parses it again."""


# --- Line by line -----------------------------------------------------------------------------------------------------

_RUN = re.compile(r"\n([ \t][^\n]*(?:\n[ \t][^\n]*){7,})")
"""The pattern begins with the newline, because a search for a pattern with a literal first character is fastest."""


class _UnfoldableError(Exception):
    """The lines of a folded run must be parsed one by one."""


def _folded(text: str) -> list[str]:
    """Return the lines of `text`; a run of eight or more indented lines, as in a stack, is folded into one item."""
    lines: list[str] = []
    done = 0
    for match in _RUN.finditer(text):
        run = match[1]
        if _HEADING not in run:
            lines += text[done : match.start()].split("\n")
            lines.append(run)
            done = match.end() + 1
    return lines + text[done:].split("\n") if done <= len(text) else lines


class _Reader:
    """Parses the lines in one pass. `base` is the indentation of the traceback's heading."""

    def __init__(self) -> None:
        self.errors: list[Error] = []
        self.frames: list[Frame] = []
        self.source: list[str] = []
        """The lines of the stack that is being read."""
        self.open = False
        """True inside a traceback, until its exception line is read."""
        self.base = 0
        self.grouped = False
        self.member = False
        self.start = -1
        self.end = -1
        self.resumed = -1
        """Number of the line after the cut marker. This line may begin in the middle of a line of the original."""

    def take_stack(self, number: int, lines: Sequence[str]) -> int:
        """Take all lines from `number` on that belong to one stack of an open traceback.

        Return the number of the next line, or 0 if there is no such stack.
        """
        if not self.open or self.base or self.grouped or lines[number][:1] not in _BLANK:
            return 0
        end = number
        while end < len(lines) and lines[end][:1] in _BLANK and _HEADING not in lines[end]:
            end += 1
        if end == number:
            return 0
        stack = "\n".join(lines[number:end])
        self.frames += _stack(stack)
        self.source.append(stack)
        if self.frames or self.end == number:
            self.end = end
        return end

    def take(self, number: int, line: str, lines: Sequence[str]) -> int:
        """Take one line. Return the number of the next line."""
        if "\n" in line and (self.grouped or self.base or 'File "' in line):
            raise _UnfoldableError
        self._take(number, line, lines)
        return number + 1

    def _take(self, number: int, line: str, lines: Sequence[str]) -> None:
        content = self._content(line) if self.grouped else line
        if 'File "' in content and (match := _FRAME.match(content)) and (match["line"] or self.open):
            self._frame(match, number)
        elif _HEADING in content:
            self._heading(content, number)
        elif self.start < 0 or not content:
            return
        elif content.startswith(CUT_MARKER_PREFIX):
            self.resumed = number + 1
        elif self.open and self.frames:
            if content[self.base : self.base + 1] in _BLANK:
                self.source.append(content)
                self.end = number + 1  # source, carets, "[Previous line repeated …]"
            elif self.resumed != number:
                self._after_frames(content, number, lines)
        elif content.startswith(_DJANGO_VALUE):
            self._django_value(content, number)
        elif self.end == number and not content.startswith(_CHAIN_PHRASES):
            self.end = number + 1  # the message of the exception continues, or a note follows

    def _content(self, line: str) -> str:
        """Return the line without the margin of an exception group."""
        if not (match := _MARGIN.match(line)):
            self.member = False
            return line
        self.member = match.end() > 4
        return line[match.end() :]

    def _heading(self, content: str, number: int) -> None:
        self._close("", "")
        self.grouped = self.grouped or "Exception Group " + _HEADING in content
        text = _MARGIN.sub("", content, count=1) if self.grouped else content
        self.base = len(text) - len(text.lstrip())
        self.open = True
        self._extend(number)

    def _frame(self, match: re.Match[str], number: int) -> None:
        if not self.open:
            self.open = True
            self.base = max(0, len(match["indent"]) - 2)
        self._extend(number)
        self.frames += _frames((match,))
        self.source.append(match[0])

    def _extend(self, number: int) -> None:
        if self.start < 0:
            self.start = number
        self.end = number + 1

    def _after_frames(self, content: str, number: int, lines: Sequence[str]) -> None:
        if content.startswith(_CHAIN_PHRASES):
            cause = _DJANGO_CAUSE.match(content)
            self._close("", cause[1] if cause else "")
            self._extend(number)
        elif content.startswith("Exception Type: ") and (match := _DJANGO_TYPE.match(content)):
            self._close(match[1], "")
            self._extend(number)
        elif _is_source(number, lines):
            self.end = number + 1
        elif match := _TYPE.match(content.strip()):
            self._close(match["type"], match["message"] or "")
            self._extend(number)

    def _django_value(self, content: str, number: int) -> None:
        last = self.errors[-1] if self.errors else None
        if last and not last.message:
            self.errors[-1] = last._replace(message=content[len(_DJANGO_VALUE) :])
            self._extend(number)

    def _close(self, type_: str, message: str) -> None:
        """Finish the current error with the frames that were read."""
        if self.frames or type_:
            source = "\n".join(self.source[-MAX_SOURCE_LINES:])[-MAX_SOURCE:]
            self.errors.append(_error(type_, message, tuple(self.frames), member=self.member, source=source))
        self.frames = []
        self.source = []
        self.open = False

    def result(self) -> Trace | None:
        self._close("", "")
        if not self.errors:
            return None
        return Trace(language=NAME, errors=tuple(self.errors), start=self.start, end=self.end)


def _error(type_: str, message: str, frames: Stack, *, member: bool = False, source: str = "") -> Error:
    if type_.startswith(_QUALIFIERS):
        for qualifier in _QUALIFIERS:
            type_ = type_.removeprefix(qualifier)
    return Error(type=type_, message=message, frames=frames, member=member, source=source)


def _is_source(number: int, lines: Sequence[str]) -> bool:
    """Return True for a source line that lost its indentation, for example in HTML: the next line is a frame."""
    following = lines[number + 1].partition("\n")[0] if number + 1 < len(lines) else ""
    return 'File "' in following and _FRAME.match(following) is not None
