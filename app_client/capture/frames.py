"""Classify the frames of an exception: code of the app, the standard library or an installed package.

Used where an exception is logged. Only the file name of a frame decides; the disk is not read.
"""

import os
import re
import traceback
from collections import deque
from typing import NamedTuple

_MAX_FRAMES = 200  # innermost frames of an exception
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")
_SEPARATOR = re.compile(r"[\\/]+")
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 -- frames name their files as text
_SCRIPT = re.compile(r"[\\/](?:bin|Scripts)[\\/][^\\/.]+$")


class CodeLocation(NamedTuple):
    """The location of code.

    `package` is `app` for the app, `std` for the standard library, generated code and scripts of installed programs,
    and otherwise the name of the installed package.
    """

    package: str
    file: str
    function: str

    @property
    def tail(self) -> str:
        """The file name with its folder, in the format of the relay."""
        return "/".join(f"{self.package}/{self.file}".split("/")[-2:])

    @property
    def foreign(self) -> bool:
        """True for code of an installed package."""
        return self.package not in ("app", "std")

    def __str__(self) -> str:
        return f"{self.package} {self.file} {self.function}"


def code_locations(error: BaseException) -> list[CodeLocation]:
    """Return the locations of the traceback, outermost first; of a deep traceback the innermost ones."""
    frames = deque((frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)), maxlen=_MAX_FRAMES)
    return [code_location(code.co_filename, code.co_name) for code in frames]


def code_location(path: str, function: str) -> CodeLocation:
    """Return the location of one frame; `path` is its file as the code object names it."""
    if found := _INSTALLED.search(path):
        package, *rest = _SEPARATOR.split(path[found.end() :])
        return CodeLocation(package.removesuffix(".py"), "/".join(rest) or package, function)
    if path.startswith("<") or _SCRIPT.search(path):
        return CodeLocation("std", path, function)
    if path.startswith(_STANDARD_LIBRARY):
        return CodeLocation("std", path[len(_STANDARD_LIBRARY) :].replace("\\", "/"), function)
    return CodeLocation("app", path, function)
