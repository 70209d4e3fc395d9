"""The lock files as pip reads them: the pins of each, their environments and hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = sorted(path.name for path in ROOT.glob("*.lock"))
SUPPORTED = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
"""The Python versions that the project supports, such as "3.11"."""


@dataclass(frozen=True)
class Pin:
    """One line of a lock."""

    requirement: Requirement
    version: str
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Return whether pip installs it in that environment."""
        return self.requirement.marker is None or self.requirement.marker.evaluate(dict(environment))

    def without_marker(self) -> str:
        """Return its line without the marker, so that pip installs it in any environment."""
        return " ".join([f"{self.requirement.name}=={self.version}", *(f"--hash={value}" for value in self.hashes)])


def pins(lock: str) -> list[Pin]:
    """Return every pin of a lock, which is a file in the root of the checkout."""
    return parse((ROOT / lock).read_text())


def parse(text: str) -> list[Pin]:
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$", "", text)).splitlines()
    return [_pin(line) for line in lines if line.strip()]


def _pin(line: str) -> Pin:
    specifier, *hashes = line.split("--hash=")
    requirement = Requirement(specifier.strip())
    [exact] = requirement.specifier
    assert exact.operator == "==", line
    return Pin(requirement, exact.version, tuple(map(str.strip, hashes)))


def chosen(lines: Iterable[Pin], environment: Mapping[str, str]) -> dict[str, Pin]:
    """Return the pins that pip installs in that environment, by name."""
    found: dict[str, Pin] = {}
    for pin in lines:
        if pin.applies(environment):
            assert pin.name not in found, f"{pin.name} is pinned twice"
            found[pin.name] = pin
    return found


def environment(python: str, micro: str = "0") -> dict[str, str]:
    """Return the marker environment of a Python version on this machine."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.{micro}",
        "implementation_version": f"{python}.{micro}",
        "extra": "",
    }


def requested_by(lock: str) -> list[Requirement]:
    """Return what the lock is made from: the extras or the group of pyproject.toml that `make lock` names for it."""
    [recipe] = re.findall(rf"^\t\$\(LOCK\) (.*) -o {re.escape(lock)}$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    texts = [text for group in re.findall(r"--group (\S+)", recipe) for text in PYPROJECT["dependency-groups"][group]]
    return [Requirement(text) for text in texts] + _extras(re.findall(r"--extra (\S+)", recipe))


def _extras(names: Iterable[str]) -> list[Requirement]:
    asked = [Requirement(text) for name in names for text in PROJECT["optional-dependencies"][name]]
    own = [each for each in asked if each.name == PROJECT["name"]]
    nested = _extras(sorted({name for each in own for name in each.extras})) if own else []
    return [each for each in asked if each.name != PROJECT["name"]] + nested
