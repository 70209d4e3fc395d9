"""Parse stack traces of Elixir: exceptions, crashed processes (GenServer, Task) and exits that carry an exception.

A frame names the application that its code belongs to. Values are left out of the message of an exception that Elixir
itself raises, if they contain data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import FIRST_WORD, Error, Frame, Origin, Stack, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded

NAME = "Elixir"
MARKERS: tuple[str, ...] = ()
LINES = (r"\*\* \(", r"\([a-z_]\w*+(?: [\d.][\w.+-]*+)?\) ", FIRST_WORD + r":(?:(?<=\.ex:)|(?<=\.exs:)|(?<=\.erl:))")

_HEAD = re.compile(
    r"(?:.{0,200}?\s)??(?P<indent>\s*)\*\* \((?P<type>[A-Za-z][\w.]*)(?: from [^)]{1,100})?\)(?: (?P<message>.*))?$"
)
_FRAME = re.compile(
    r"(?P<indent>\s+)(?:\((?P<app>\w+)(?: [\w.+-]+)?\) )?(?P<file>[^\s:()]+\.(?:exs?|erl|[hl]?eex|xrl|yrl)):\d+: "
    r"(?P<function>.+)$"
)
_WITHOUT_PLACE = re.compile(
    r"(?P<indent>\s+)(?:\((?P<app>\w+)(?: [\w.+-]+)?\) )(?P<file>)(?P<function>:?[\w.]+[./].+)$"
)
"""A function of a module that was compiled without its place, or of the runtime."""
_ANONYMOUS = re.compile(r"anonymous fn/\d+ in ")
_ARGUMENTS = re.compile(r"[(/].*$")
_COMPILED = re.compile(r"\"-(?P<name>[^/\"]+)/.*")
"""`Enum."-map/2-lists^map/1-1-"/2`: the compiler's name of a function inside `Enum.map/2`."""
_INSPECTED = re.compile(
    r"(?P<said>(?:no match of right hand side value|no (?:case|with|try|else|function|cond) clause matching"
    r"|.{0,100} not found in|expected a (?:map|function|list|struct)[^:]{0,40} got|Erlang error|got value"
    r"|protocol [\w.]+ not implemented for))(?:: | (?=[%\[{\"~#<]))(?P<value>.*)$"
)
_PLAIN = re.compile(r"[\w{}\[\]:, ]{1,80}$")
"""A value without strings and structures, such as `{:error, :enoent}`: it says what went wrong."""
_EXITS = ("exit", "stop", "EXIT")
_ARGUMENTS_OF_CALL = re.compile(r"(exited in: [\w.:]+\().*\)$")
_PROCESS = re.compile(
    r".{0,200}?\b(?P<kind>GenServer|Task|Process|Agent|:gen_statem|:gen_event) (?P<name>[A-Z][\w.]*(?= ))?.{1,200}? ?"
    r"(?:terminating|raised an exception|crashed)$"
)
"""The line above an exception that ended a process."""
_APPLICATIONS = """
elixir stdlib kernel eex mix ex_unit iex logger compiler erts ssl crypto inets public_key mnesia sasl phoenix
phoenix_html phoenix_live_view phoenix_live_dashboard phoenix_pubsub phoenix_ecto phoenix_template plug plug_cowboy
plug_crypto cowboy cowlib ranch bandit thousand_island ecto ecto_sql postgrex myxql tds db_connection telemetry oban
broadway gen_stage flow absinthe absinthe_plug guardian ueberauth tesla finch mint hackney httpoison req jason poison
decimal swoosh bamboo gettext websock_adapter websock nimble_pool nimble_options poolboy quantum sentry commanded
horde libcluster swarm cachex con_cache redix amqp tzdata timex
"""
_LIBRARIES = frozenset(_APPLICATIONS.split())
_HEAD_WITHIN = 40
"""Maximum number of lines from the exception to its first frame: Elixir prints the arguments between them."""


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first exception with frames in `lines`; see `Language.read`. The innermost frame is printed first."""
    heads: list[tuple[int, str, str]] = []
    process: re.Match[str] | None = None
    frames: list[Frame] = []
    start = end = head_at = -1
    for number, line in enumerate(lines):
        line = line[:MAX_LINE]  # noqa: PLW2901 - the rest of a line is never read
        if match := _FRAME.match(line) or (_WITHOUT_PLACE.match(line) if frames else None):
            if start < 0:
                heads = heads if number - head_at <= _HEAD_WITHIN else []
                start = heads[0][0] - (process is not None) if heads else number
            frames.append(_frame(match))
            end = number + 1
        elif frames:
            if line.strip():
                break
        elif "** (" in line and (match := _HEAD.match(line)):
            if not heads or number - head_at > 1:
                heads = []
                process = _PROCESS.match(lines[number - 1][:MAX_LINE]) if number else None
            heads.append((number, match["type"], match["message"] or ""))
            head_at = number
    if not frames or not heads:
        return None
    return Trace(language=NAME, errors=(_error(heads, frames, process),), start=start, end=end)


def _error(heads: list[tuple[int, str, str]], frames: list[Frame], process: re.Match[str] | None) -> Error:
    """Return the exception. An exit only carries it from one process to another, so it is no error of its own."""
    if named := next((head for head in reversed(heads) if head[1] not in _EXITS), None):
        _, type_, message = named
    else:
        type_ = heads[0][1]
        message = ": ".join(_ARGUMENTS_OF_CALL.sub(r"\1)", head[2]) for head in heads)
    stack = tuple(reversed(frames))
    stack = (_entry(process, stack), *stack) if process else stack
    return Error(type=type_, message=_without_values(message.strip()), frames=stack)


def _entry(process: re.Match[str], stack: Stack) -> Frame:
    """Return the process as the outermost frame. It counts where the frames of the app count."""
    origin = min(frame.origin for frame in stack)
    package = next((frame.package for frame in stack if frame.origin is Origin.INSTALLED), "")
    return Frame(process["name"] or "process", process["kind"], origin, package if origin is Origin.INSTALLED else "")


def _without_values(message: str) -> str:
    match = _INSPECTED.match(message)
    return message if match is None or _PLAIN.match(match["value"]) else match["said"]


def _frame(match: re.Match[str]) -> Frame:
    app = match["app"] or ""
    function = _ANONYMOUS.sub("", match["function"])
    compiled = _COMPILED.sub(r"\g<name>", function)
    name = _ARGUMENTS.sub("", compiled) if function[0] != "(" else function
    file = app_file(match["file"]) if match["file"] else app
    if not app:
        return Frame(file, name, Origin.APP)
    return Frame(file, name, Origin.LIBRARY) if app in _LIBRARIES else Frame(file, name, Origin.INSTALLED, app)
