"""Stack traces as real programs print them (tests/data/traces), and what the relay reads of them."""

from relay.traces import find, relevant_frames
from tests.support.paths import DATA


def printed(name: str) -> dict[str, str]:
    """What one interpreter printed, by section."""
    sections = (DATA / "traces" / name).read_text().split("=== ")[1:]
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}


def read(text):
    """The trace in `text`, which must have one."""
    trace = find(text)
    assert trace is not None
    return trace


def outline(text):
    """Type and own functions of each error, oldest first."""
    trace = read(text)
    return [
        (error.type, [frame.function for frame in own])
        for error, own in zip(trace.errors, relevant_frames(trace), strict=True)
    ]
