"""Whose code the frames of an exception are: the app's own, the standard library's or an installed package's.

Asked by whoever reads an exception where it was logged. Only the frames' file names tell, nothing is looked up on disk.
"""

import os
import re
import traceback
from collections import deque
from typing import NamedTuple

_FRAMES = 200  # innermost frames of each
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")
_SEPARATOR = re.compile(r"[\\/]+")
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 -- frames name their files as text
_SCRIPT = re.compile(r"[\\/](?:bin|Scripts)[\\/][^\\/.]+$")


class Place(NamedTuple):
    """A frame. `package` is `app` for the app's own code, `std` for the standard library and generated code."""

    package: str
    file: str
    function: str

    @property
    def tail(self) -> str:
        """The file with its last folder, as the relay writes it."""
        return "/".join(f"{self.package}/{self.file}".split("/")[-2:])

    @property
    def foreign(self) -> bool:
        """Whether it is a package of others."""
        return self.package not in ("app", "std")

    def __str__(self) -> str:
        return f"{self.package} {self.file} {self.function}"


def places_of(error: BaseException) -> list[Place]:
    """The places of its traceback, outermost first; of a deep one the innermost."""
    frames = deque((frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)), maxlen=_FRAMES)
    return [place_of(code.co_filename, code.co_name) for code in frames]


def place_of(path: str, function: str) -> Place:
    """The place of one frame, by its file as code names it."""
    if found := _INSTALLED.search(path):
        package, *rest = _SEPARATOR.split(path[found.end() :])
        return Place(package.removesuffix(".py"), "/".join(rest) or package, function)
    if path.startswith("<") or _SCRIPT.search(path):
        return Place("std", path, function)
    if path.startswith(_STANDARD_LIBRARY):
        return Place("std", path[len(_STANDARD_LIBRARY) :].replace("\\", "/"), function)
    return Place("app", path, function)
