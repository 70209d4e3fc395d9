"""Stack traces printed by real programs (tests/data/traces), and helpers that parse them."""

from relay.traces import find, relevant_frames
from tests.support.paths import DATA


def printed(name: str) -> dict[str, str]:
    """Return the output of one interpreter, by section."""
    sections = (DATA / "traces" / name).read_text().split("=== ")[1:]
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}


def read(text):
    """Return the trace in `text`; fail if there is none."""
    trace = find(text)
    assert trace is not None
    return trace


def outline(text):
    """Return the type and the relevant functions of each error, oldest first."""
    trace = read(text)
    return [
        (error.type, [frame.function for frame in own])
        for error, own in zip(trace.errors, relevant_frames(trace), strict=True)
    ]
