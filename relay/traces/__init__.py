"""Stack traces: found in a text, read, and judged by whose code they ran through.

One module for each language, all behind `Language`; what none understands is plain text.
Reading takes time linear in the text, whatever the text is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from relay.traces import dotnet, go, java, javascript, php, python, ruby, rust
from relay.traces.frames import Error, Frame, Language, Origin, Trace

__all__ = ["Error", "Frame", "Origin", "Trace", "counted", "find"]


_LANGUAGES: tuple[Language, ...] = (python, rust, javascript, java, ruby, go, php, dotnet)
"""In this order, since Rust prints places that look like JavaScript's."""


def find(text: str) -> Trace | None:
    """The stack trace in `text` (lines ended by newline), or None."""
    for language in _LANGUAGES:
        for mark in language.MARKS:
            if mark in text:
                if trace := language.read(text):
                    return trace
                break
    return None


def counted(trace: Trace) -> tuple[tuple[Frame, ...], ...]:
    """For each error of `trace`, the frames that tell where it happened: the app's own, each once.

    Where nothing is plainly the app's, it was installed like a library: then the outermost package
    that is not a well-known one counts as the app. Where all is library, all frames count. A frame
    counts once however often a recursion repeats it.
    """
    belongs = _app_test(trace)
    return tuple(tuple(dict.fromkeys(frame for frame in error.frames if belongs(frame))) for error in trace.errors)


def _app_test(trace: Trace) -> Callable[[Frame], bool]:
    if any(frame.origin is Origin.APP for frame in _outermost_first(trace)):
        return lambda frame: frame.origin is Origin.APP
    for frame in _outermost_first(trace):
        if frame.origin is Origin.INSTALLED:
            package = frame.package
            return lambda frame: frame.origin is Origin.INSTALLED and frame.package == package
    return lambda _: True


def _outermost_first(trace: Trace) -> Iterator[Frame]:
    for error in reversed(trace.errors):
        yield from error.frames
