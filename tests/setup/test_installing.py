"""`make setup` with every Python of this machine installs what the lock pins, whatever the index serves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.setup.index import HIGHER
from tests.setup.locks import PROJECT, chosen, pins
from tests.setup.surroundings import Machine, interpreters, with_links
from tests.support.paths import ROOT

PREINSTALLED = {"pip", "setuptools"}
"""The packages of a new virtual environment; setuptools only with Python 3.11."""
LIST_INSTALLED = """
import json, importlib.metadata, packaging.markers
found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(json.dumps([dict(packaging.markers.default_environment()), found]))
"""
MAILS = ROOT / "tests" / "data" / "grouping" / "further.jsonl"


def set_up(machine: Machine, **environ: str) -> str:
    """Set up, check that exactly the locked packages for this Python are installed, and return pip's version."""
    done = machine.make("setup", **environ)
    assert done.returncode == 0, done.stdout

    markers, installed = json.loads(machine.run(machine.python, "-I", "-c", LIST_INSTALLED).stdout)
    found: dict[str, str] = {canonicalize_name(name): version for name, version in installed.items()}
    locked = {name: pin.version for name, pin in chosen(pins("requirements-dev.lock"), markers).items()}
    assert {name: found[name] for name in found.keys() - PREINSTALLED - {PROJECT["name"]}} == locked
    return found["pip"]


def misleading_settings(folder: Path) -> dict[str, str]:
    """Return a user's settings that make pip install elsewhere, or make it think that a package is installed."""
    coverage = folder / f"coverage-{HIGHER}.dist-info"
    coverage.mkdir(parents=True)
    (coverage / "METADATA").write_text(f"Metadata-Version: 2.1\nName: coverage\nVersion: {HIGHER}\n")
    return {"PIP_USER": "1", "PIP_TARGET": str(folder), "PYTHONPATH": str(folder)}


def fingerprints(machine: Machine, python: object) -> str:
    """Return the fingerprints of the labelled mails with that Python."""
    mails = [json.loads(line) for line in MAILS.read_text().splitlines()]
    lines = [json.dumps({"id": each["id"], "subject": each["subject"], "body": each["text"]}) for each in mails]
    (machine.checkout / "mails.jsonl").write_text("\n".join(lines))
    done = machine.run("/bin/sh", "-c", f"'{python}' -m relay fingerprint <mails.jsonl")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_setup_installs_the_locked_versions_when_the_index_has_higher_ones(
    python, machine, higher_versions, an_index, tmp_path
):
    """The machine has only that Python and its own pip. The relay then gives the same fingerprints as here."""
    bare = machine(python)

    pip = set_up(bare, PIP_FIND_LINKS=with_links(higher_versions), **misleading_settings(tmp_path / "elsewhere"))

    assert pip == python.pip
    assert fingerprints(bare, bare.python) == fingerprints(bare, sys.executable)


def test_setup_installs_the_locked_versions_with_the_newest_pip(machine, higher_versions, an_index):
    python = interpreters()[-1]
    (higher_versions / f"pip-{HIGHER}-py3-none-any.whl").unlink()

    pip = set_up(machine(python), PIP_FIND_LINKS=with_links(higher_versions), VENV_OPTIONS="--upgrade-deps")

    assert Version(pip) > max(Version(each.pip) for each in interpreters())


def test_pip_would_install_the_higher_versions_of_that_index(higher_versions, tmp_path):
    """Otherwise the tests above would prove nothing."""
    options = ["--quiet", "--no-index", "--find-links", str(higher_versions), "--dest", str(tmp_path / "downloaded")]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "coverage>=7", "zope-event"], check=True, timeout=60
    )

    assert {path.name.partition("-py3")[0] for path in (tmp_path / "downloaded").iterdir()} == {
        f"coverage-{HIGHER}",
        f"zope_event-{HIGHER}",
    }
