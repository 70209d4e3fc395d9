"""Parse stack traces of the Java virtual machine: Java, Kotlin, Scala, Groovy, Clojure.

Supported: `Caused by`, `Suppressed`, "... 23 more", messages of several lines, coroutines. Frames of proxies and other
generated classes are left out, because their names change with each start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Error, Frame, Origin, Trace, line_based

NAME = "Java"
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"at (?<=\tat )", INDENTED + r"at (?<=  at )")

_FRAME = re.compile(
    r"\s*at (?:[\w.@-]*/{1,2})?(?P<class>[\w$.]+)\.(?P<method>[\w$<>-]+)"
    r"\((?P<where>Native Method|Unknown Source|<generated>|(?!(?:[A-Z]\w*\.)+[A-Z]\w*\))[\w$.-]+(?::-?\d+)?)\)"
)
_HEAD = re.compile(
    r"\s*(?P<how>Caused by: |Suppressed: |Exception in thread \"[^\"]*\" )?"
    r"(?P<type>(?:[a-zA-Z_]\w*\.)+[A-Z][\w$]*|[A-Z]\w*(?:Exception|Error|Throwable))(?::\s?(?P<message>.*))?$"
)
_HEAD_ABOVE = re.compile(
    r"(?<=[: ])(?P<how>)(?P<type>(?:[a-z_]\w*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable))(?:: (?P<message>.*))?$"
)
_MAX_HEAD = 2_000
"""Characters of a line that are searched for the exception."""
_GENERATED = re.compile(
    r"\$\$(?!anonfun)|\$Proxy\d|GeneratedMethodAccessor|GeneratedConstructorAccessor|^jdk\.internal\.reflect\."
)
_NUMBERED = re.compile(r"\$+\d+(?=\$|$)|__\d+(?=\$|$)|(?<=\$eval)\d+(?=\$|$)")
"""`lambda$main$6`, `Cart$1`, `cart$fn__5935`, `cart$eval149`: the compiler numbers lambdas and classes.

A change of the source changes the numbers.
"""
_PACKAGES = """
java javax jakarta jdk sun com.sun kotlin kotlinx _COROUTINE scala groovy clojure org.springframework org.hibernate
org.apache org.eclipse org.jboss org.wildfly io.netty io.vertx io.micronaut io.quarkus io.undertow reactor rx
io.reactivex akka play com.fasterxml com.google org.postgresql com.mysql oracle com.microsoft com.zaxxer okhttp3 okio
retrofit2 ch.qos org.slf4j org.junit junit org.aspectj net.bytebuddy android androidx com.android org.codehaus
redis.clients org.mongodb com.mongodb org.elasticsearch io.grpc
"""
_LIBRARIES = tuple(f"{package}." for package in _PACKAGES.split())
_HEAD_WITHIN = 12
"""Maximum number of lines from the exception's name to its first frame, for messages of several lines."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Java prints the reported exception before its causes."""
    errors: list[Error] = []
    frames: list[Frame] = []
    head: re.Match[str] | None = None
    head_at = start = end = -1
    for number, line in enumerate(lines):
        if "at " in line and (match := _FRAME.match(line)) and ":" not in match["class"]:
            if start < 0:
                head = head if number - head_at <= _HEAD_WITHIN else None
                start = head_at if head else number
            frames.append(_frame(match))
            end = number + 1
        elif match := _HEAD.match(line) or (None if frames else _head_above(lines, number)):
            if frames:
                errors.append(_error(head, frames))
                frames = []
                if not match["how"]:
                    break  # another trace begins
            head, head_at = match, number
        elif frames and line.lstrip().startswith("... "):
            end = number + 1
    if frames:
        errors.append(_error(head, frames))
    if not errors:
        return None
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _head_above(lines: Sequence[str], number: int) -> re.Match[str] | None:
    """Return the exception at the end of a log line with other text, if the next line is a frame."""
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return _HEAD_ABOVE.search(lines[number][:_MAX_HEAD]) if "at " in below and _FRAME.match(below) else None


def _error(head: re.Match[str] | None, frames: list[Frame]) -> Error:
    named = tuple(frame for frame in reversed(frames) if frame.function)
    if head is None:
        return Error(type="", message="", frames=named)
    suppressed = (head["how"] or "").startswith("Suppressed")
    return Error(type=head["type"], message=head["message"] or "", frames=named, member=suppressed)


def _frame(match: re.Match[str]) -> Frame:
    class_ = match["class"]
    if _GENERATED.search(class_) or match["where"] == "<generated>":
        return Frame(class_, "", Origin.LIBRARY)
    origin = Origin.LIBRARY if class_.startswith(_LIBRARIES) else Origin.APP
    return Frame(_NUMBERED.sub("", class_), _NUMBERED.sub("", match["method"]), origin)
