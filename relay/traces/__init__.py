"""Stack traces: found in a text, read, and judged by whose code they ran through.

One module for each language, all behind `Language`; what none understands is plain text.
Reading takes time linear in the text, whatever the text is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from relay.traces import dotnet, go, java, javascript, php, python, ruby, rust
from relay.traces.frames import Error, Frame, Language, Origin, Stack, Trace

__all__ = ["Error", "Frame", "Origin", "Stack", "Trace", "find", "relevant_frames", "relevant_frames_of"]


_LANGUAGES: tuple[Language, ...] = (python, rust, javascript, java, ruby, go, php, dotnet)
"""In this order, since Rust prints places that look like JavaScript's."""


def find(text: str) -> Trace | None:
    """The stack trace in `text` (lines ended by newline), or None."""
    for language in _LANGUAGES:
        for mark in language.MARKERS:
            if mark in text:
                if trace := language.read(text):
                    return trace
                break
    return None


def relevant_frames(trace: Trace, app_package: str = "") -> tuple[Stack, ...]:
    """For each error of `trace`, the frames that tell where it happened: see `relevant_frames_of`."""
    return relevant_frames_of(tuple(error.frames for error in trace.errors), app_package)


def relevant_frames_of(stacks: tuple[Stack, ...], app_package: str = "") -> tuple[Stack, ...]:
    """Of each of a chain's stacks the frames that tell where it happened: the app's own, each once.

    Where nothing is plainly the app's, it was installed like a library: then `app_package`, which the
    app says to be, counts as the app if it is there, else the outermost package that is not a
    well-known one. Where all is library, all frames count. A frame counts once however often a
    recursion repeats it.
    """
    belongs = _app_test(stacks, app_package)
    return tuple(tuple(dict.fromkeys(frame for frame in stack if belongs(frame))) for stack in stacks)


def _app_test(stacks: tuple[Stack, ...], app_package: str) -> Callable[[Frame], bool]:
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
