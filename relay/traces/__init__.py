"""Find and parse stack traces in a text, and select the frames that belong to the app.

One module per language, all behind the `Language` protocol. A text that no language recognizes has no trace.
Guarantee: parsing takes time linear in the length of the text, for any text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from relay.traces import (
    bash,
    clojure,
    cobol,
    crystal,
    dart,
    delphi,
    dotnet,
    elixir,
    erlang,
    go,
    haskell,
    java,
    javascript,
    julia,
    lua,
    native,
    nim,
    ocaml,
    oracle,
    perl,
    php,
    postgresql,
    powershell,
    python,
    r,
    ruby,
    rust,
    swift,
    zig,
    zope,
)
from relay.traces.frames import Error, Frame, Language, Origin, Stack, Trace
from relay.traces.search import Search

__all__ = [
    "Error",
    "Frame",
    "Origin",
    "Stack",
    "Trace",
    "find",
    "find_1",
    "relevant_frames",
    "relevant_frames_of",
    "split",
]


_VERSION_1: tuple[Language, ...] = (python, rust, javascript, java, ruby, go, php, dotnet)
_LANGUAGES: tuple[Language, ...] = (
    *_VERSION_1,
    *(zope, elixir, erlang, delphi, perl, powershell, dart, native, lua, swift, postgresql, oracle, cobol, r, haskell),
    *(julia, ocaml, crystal, nim, zig, clojure, bash),
)
"""Tried in this order: the languages of most mails first. Rust comes before JavaScript because Rust prints locations
that look like JavaScript's. Bash comes last, because a script prints the errors of what it calls.
"""


_SEARCH = Search(_LANGUAGES)
_SEARCH_1 = Search(_VERSION_1)
_SAME_HEADING: tuple[Language, ...] = (zope, nim)
"""They print Python's heading, and frames that Python's reader does not know."""


def find(text: str) -> Trace | None:
    """Return the first stack trace in `text` (lines end with a newline), or None."""
    heading_only: Trace | None = None
    for language in _SEARCH.languages_in(text):
        if heading_only and language not in _SAME_HEADING:
            continue
        trace = language.read(text)
        if trace and language is python and not any(error.frames for error in trace.errors):
            heading_only = trace
        elif trace:
            return trace
    return heading_only


def find_1(text: str) -> Trace | None:
    """Return the first stack trace in a language that version 1 of the fingerprint knows, or None."""
    return next(filter(None, (language.read(text) for language in _SEARCH_1.languages_in(text))), None)


def split(text: str, trace: Trace | None) -> tuple[str, str]:
    """Split `text` into the message (above and below `trace`, which was found in it) and the trace."""
    if trace is None:
        return text.strip(), ""
    around = (text[: trace.start].strip(), text[trace.end :].strip())
    return "\n\n".join(filter(None, around)), text[trace.start : trace.end]


def relevant_frames(trace: Trace, app_package: str = "") -> tuple[Stack, ...]:
    """Return the frames that identify each error of `trace`; see `relevant_frames_of`."""
    return relevant_frames_of(tuple(error.frames for error in trace.errors), app_package)


def relevant_frames_of(stacks: tuple[Stack, ...], app_package: str = "") -> tuple[Stack, ...]:
    """Return, for each stack of a chain of errors, the frames that identify the error: the app's own.

    If no frame is clearly the app's, the app was installed like a library. Then the frames of `app_package` count,
    the package that the app declares as its own. If that package is not in the stacks, the outermost package that
    is not a well-known one counts. If all frames are library code, all of them count. Each frame is listed once,
    even if a recursion repeats it.
    """
    is_relevant = _relevance_test(stacks, app_package)
    return tuple(tuple(dict.fromkeys(frame for frame in stack if is_relevant(frame))) for stack in stacks)


def _relevance_test(stacks: tuple[Stack, ...], app_package: str) -> Callable[[Frame], bool]:
    if any(frame.origin is Origin.APP for frame in _outermost_first(stacks)):
        return lambda frame: frame.origin is Origin.APP
    if app_package and any(frame.package == app_package for frame in _outermost_first(stacks)):
        return lambda frame: frame.package == app_package
    for frame in _outermost_first(stacks):
        if frame.origin is Origin.INSTALLED:
            package = frame.package
            return lambda frame: frame.origin is Origin.INSTALLED and frame.package == package
    return lambda _: True


def _outermost_first(stacks: tuple[Stack, ...]) -> Iterator[Frame]:
    for stack in reversed(stacks):
        yield from stack
