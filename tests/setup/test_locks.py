"""Each lock is complete: it pins every requirement of every locked package, for every supported Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.setup.index import download, unreachable
from tests.setup.locks import LOCKS, SUPPORTED, Pin, chosen, environment, parse, pins, requested_by
from tests.support.paths import ROOT

ENVIRONMENTS = [environment(python, micro) for python in SUPPORTED for micro in ("0", "99")]
"""For each Python its first release, and one later than any real one."""


def unmet(
    asked: Iterable[Requirement],
    locked: Mapping[str, Pin],
    required: Mapping[str, Iterable[Requirement]],
    env: Mapping[str, str],
) -> Iterator[str]:
    """Yield what `locked` does not satisfy of `asked` and of the requirements of each locked package, in `env`.

    A line of a lock names every extra that is requested of its package, so only those extras count.
    """
    wanted = [("pyproject.toml", {""}, requirement) for requirement in asked]
    for name, pin in locked.items():
        wanted += [(name, {"", *pin.requirement.extras}, requirement) for requirement in required.get(name, ())]
    for source, extras, requirement in wanted:
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**env, "extra": extra}) for extra in extras):
            met = locked.get(canonicalize_name(requirement.name))
            if met is None or not requirement.specifier.contains(met.version, prereleases=True):
                yield f"{source} requires {requirement}; locked is {met.version if met else 'none'}"
            elif not requirement.extras <= met.requirement.extras:
                yield f"{source} requires {requirement}; the lock's line has no such extra"


def test_lock_without_an_extra_or_a_package_is_found():
    """The first case once broke the set-up: pip looked for `coverage[toml]` on the index and installed the newest."""
    env = environment("3.11")
    asked = [Requirement("pytest-cov>=7")]
    required = {
        "pytest-cov": [
            Requirement("coverage[toml]>=7.10.6"),
            Requirement("pluggy>=1.2"),
            Requirement("x; extra == 'y'"),
        ],
        "coverage": [Requirement("tomli; python_full_version <= '3.11.0a6' and extra == 'toml'")],
    }

    def found(text: str) -> list[str]:
        return list(unmet(asked, chosen(parse(text), env), required, env))

    assert found("pytest-cov==7.0\ncoverage[toml]==7.11\npluggy==1.5\n") == []
    assert found("pytest-cov==7.0\ncoverage==7.11\npluggy==1.1\n") == [
        "pytest-cov requires coverage[toml]>=7.10.6; the lock's line has no such extra",
        "pytest-cov requires pluggy>=1.2; locked is 1.1",
    ]
    assert found("pytest-cov[y]==7.0\ncoverage[toml]==7.11 ; python_version > '3.11'\npluggy==1.5\n") == [
        "pytest-cov requires coverage[toml]>=7.10.6; locked is none",
        'pytest-cov requires x; extra == "y"; locked is none',
    ]


def metadata(wanted: Iterable[Pin], folder: Path) -> dict[tuple[str, str], Distribution]:
    """Return the metadata of `wanted`, installed here or downloaded with the hash of the lock, by name and version."""
    here = by_version(distributions())
    missing = {(pin.name, pin.version): pin for pin in wanted if (pin.name, pin.version) not in here}
    if missing and not unreachable():
        assert download(missing.values(), folder, "--python-version", SUPPORTED[-1]) == ""
        here |= by_version(distributions(path=[str(wheel) for wheel in folder.glob("*.whl")]))
    return here


def by_version(found: Iterable[Distribution]) -> dict[tuple[str, str], Distribution]:
    return {(canonicalize_name(each.name), each.version): each for each in found}


def test_every_requirement_of_every_locked_package_is_pinned_by_its_lock(tmp_path):
    cases = [(lock, env, chosen(pins(lock), env)) for lock in LOCKS for env in ENVIRONMENTS]
    wanted = {(pin.name, pin.version): pin for _, _, locked in cases for pin in locked.values()}
    known = metadata(wanted.values(), tmp_path)

    found = []
    for lock, env, locked in cases:
        place = f"{lock}, Python {env['python_full_version']}"
        there = {name: known[key] for name, pin in locked.items() if (key := (name, pin.version)) in known}
        required = {name: list(map(Requirement, each.requires or ())) for name, each in there.items()}
        found += [f"{place}: {each}" for each in unmet(requested_by(lock), locked, required, env)]
        for name, each in there.items():
            served = each.metadata["Requires-Python"] if "Requires-Python" in each.metadata else ""  # noqa: SIM401 -- no `get`
            if not SpecifierSet(served).contains(env["python_full_version"]):
                found.append(f"{place}: {name} {each.version} is not for this Python")

    assert found == []
    if unread := {f"{name} {version}" for name, version in wanted.keys() - known.keys()}:
        pytest.skip(f"not installed, and no package index answers here: {', '.join(sorted(unread))}; the rest is met")


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env["python_full_version"])
def test_package_has_one_version_in_all_locks(env):
    """So what `make audit` and `make fuzz` install changes no installed package."""
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, pin in chosen(pins(lock), env).items():
            versions.setdefault(name, set()).add(pin.version)

    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_make_lock_writes_every_lock_with_hashes_and_extras(lock):
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    [command] = [line for line in makefile.splitlines() if line.startswith("LOCK ")]

    assert requested_by(lock)
    for option in ("--universal", f"--python-version {SUPPORTED[0]}", "--generate-hashes", "--no-strip-extras"):
        assert f" {option} " in f"{command} "
