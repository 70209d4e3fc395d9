"""Parse stacks of C, C++ and other native code: sanitizers, valgrind, gdb, systemd-coredump, `backtrace()` of glibc."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import FIRST_WORD, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import bounded, first_run, head_above, trace_of

NAME = "C"
MARKERS: tuple[str, ...] = ()
LINES = (r"#[01] ", r"==(?=\d+== +by)", FIRST_WORD + r"\((?=[\w.@]*+\+?(?:0x[0-9a-f]+)?\) ?\[0x)")

_SANITIZER = re.compile(
    r"\s*#\d+ 0x[0-9a-f]+ +(?:in (?P<function>\S.{0,300}?) )?(?:\((?P<module>[^()\s]{1,300}?)\+0x[0-9a-f]+\).*"
    r"|(?P<file>[^\s()]{1,300}?)(?::\d+){0,2}(?: \([^()]{1,100}\))?)$"
)
_GDB = re.compile(r"\s*#\d+ +(?:(?P<address>0x[0-9a-f]+) in )?(?P<function>[^\s(].{0,500}?) \(.*\)")
_GDB_END = re.compile(r"\)(?: at (?P<file>\S{1,300}):\d+| from (?P<module>\S{1,300}))?$")
_MAX_END = 330
"""Characters at the end of a line of gdb that are searched for the file."""
_COREDUMP = re.compile(
    r"\s*#\d+ +0x[0-9a-f]+ (?P<function>\S{1,300}) \((?P<module>[^()\s]{1,300}) \+ 0x[0-9a-f]+\)(?P<file>)$"
)
_VALGRIND = re.compile(
    r"==\d+== +(?:at|by) 0x[0-9A-F]+: (?P<function>\S.{0,500}?) \("
    r"(?:in (?P<module>[^()]{1,300})|(?P<file>[^():]{1,300}):\d+)\)$"
)
_GLIBC = re.compile(
    r"\s*(?:\[bt\] |\(\d+\) |#?\d+:? )?(?P<module>[^\s(]{1,300})\((?P<function>[\w.@]{0,500})\+?(?:0x[0-9a-f]+)?\)"
    r" ?\[0x[0-9a-f]+\](?P<file>)$"
)
_FORMS = (_COREDUMP, _SANITIZER, _VALGRIND, _GLIBC)
_BETWEEN = re.compile(r"\s*(?:[a-z_]\w* = |No locals|\d+\t)")
"""Local variables and source lines, which gdb prints between frames."""
_HEADS = (
    re.compile(r"(?:.{0,200}?==\d+==\s?)ERROR: (?P<tool>\w+Sanitizer): (?P<type>[\w-]+)(?P<message>)"),
    re.compile(r"WARNING: (?P<tool>\w+Sanitizer): (?P<type>[\w -]+?)(?P<message>) \(pid=\d+\)"),
    re.compile(r".{0,300}?: runtime error: (?P<message>(?P<type>.*))$"),
    re.compile(r"terminate called after throwing an instance of '(?P<type>[^']{1,200})'(?P<message>)"),
    re.compile(r"Program (?:received|terminated with) signal (?P<type>SIG\w+)(?:, (?P<message>.*?))?\.?$"),
    re.compile(r".{0,200}?\bSignal: \d+ \((?P<type>\w+)\)(?P<message>)"),
    re.compile(
        r"==\d+== (?P<type>Invalid (?:read|write|free)|Conditional jump|Use of uninitialised|Process terminating"
        r"|Syscall param|Mismatched free)(?P<message>)"
    ),
    re.compile(r"\*\*\* (?P<type>Error in|glibc detected|Process received signal)(?P<message>)"),
    re.compile(r".{0,300}?(?P<type>Assertion) [`'](?P<message>.{1,500})' failed"),
    re.compile(r"(?:.{0,200}?[\s:])?(?P<type>[Ss]egmentation fault|Aborted|Bus error|SIG[A-Z]{3,5})\b(?P<message>)"),
)
_WHAT = re.compile(r"\s*what\(\): +(?P<message>.*)$")
_NO_FUNCTION = frozenset(("n/a", "??", "<signal handler called>"))
_RUNTIME = re.compile(
    r"_*(?:libc_|GI_|pthread_|asan|interceptor|sanitizer|ubsan|tsan|kernel_|cxa_|gnu_cxx|restore_rt|start_thread|clone)"
    r"|_start$|(?:abort|raise|clone3?|start_thread|main_arena)$|std::|__|vg_replace|operator (?:new|delete)"
)
_SYSTEM_PATHS = ("/usr/", "/lib", "../", "/build/", "vg_replace", "libc.so", "libstdc++", "ld-linux", "linux-vdso")
_GLIBC_SOURCE = re.compile(r"\./(?:nptl|stdlib|signal|debug|csu|malloc|elf|libio|string|sysdeps|posix|socket)/")
_ARGUMENTS = re.compile(r"(?<!operator)\s*\(.*$")
_MANGLED = re.compile(r"_ZN?K?(?=\d)(?P<rest>\w{1,500})")
_LENGTH = re.compile(r"\d{1,3}")
_CLONE = re.compile(r"\.(?:isra|part|constprop|cold|llvm)\b.*$")
_HEAD_WITHIN = 20


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first stack in `lines`; see `Language.read`. The innermost frame is printed first."""
    run = first_run(lines, _frame, between=_BETWEEN)
    if run is None:
        return None
    for pattern in _HEADS:
        if found := head_above(lines, run.start, pattern, within=_HEAD_WITHIN):
            at, head = found
            what = (
                head_above(lines, run.start, _WHAT, within=_HEAD_WITHIN, least=at) if "throwing" in lines[at] else None
            )
            message = (what[1]["message"] if what else "") or head["message"] or ""
            return trace_of(NAME, head["type"], message, run, at)
    return trace_of(NAME, "", "", run) if len(run.frames) > 1 else None


def _frame(line: str) -> Frame | None:
    if "0x" not in line and "#" not in line:
        return None
    match = next((match for form in _FORMS if (match := form.match(line))), None)
    parts = match.groupdict("") if match else _gdb(line)
    if parts is None:
        return None
    file, path = parts["file"], parts["file"] or parts.get("module", "")
    function = _demangled(_CLONE.sub("", _ARGUMENTS.sub("", parts["function"])))
    unknown = function in _NO_FUNCTION or not function
    library = unknown or _RUNTIME.match(function) or path.startswith(_SYSTEM_PATHS) or _GLIBC_SOURCE.match(path)
    name = app_file(file) if file else path.rpartition("/")[2]
    return Frame(name, "" if unknown else function, Origin.LIBRARY if library else Origin.APP)


def _gdb(line: str) -> dict[str, str] | None:
    """Return function, file and module of a frame of gdb. It has an address, or a file behind its arguments."""
    match = _GDB.match(line)
    end = _GDB_END.search(line, max(0, len(line) - _MAX_END)) if match else None
    if match is None or end is None or not (match["address"] or end["file"] or end["module"]):
        return None
    return {**end.groupdict(""), "function": match["function"]}


def _demangled(name: str) -> str:
    """Return `shop::Cart::total` for `_ZN4shop4Cart5totalEi` (Itanium C++ ABI, 5.1.2), or `name` in any other form."""
    match = _MANGLED.match(name)
    if match is None:
        return name
    rest, parts = match["rest"], list[str]()
    while length := _LENGTH.match(rest):
        end = length.end() + int(length[0])
        parts.append(rest[length.end() : end])
        rest = rest[end:]
    return "::".join(parts)
