"""`make setup` under every Python of this machine installs what the lock says, whatever the index serves."""

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

BROUGHT = {"pip", "setuptools"}
"""What a new virtual environment has by itself; setuptools with Python 3.11 alone."""
WHAT_IS_THERE = """
import json, importlib.metadata, packaging.markers
found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(json.dumps([dict(packaging.markers.default_environment()), found]))
"""
MAILS = ROOT / "tests" / "data" / "grouping" / "further.jsonl"


def set_up(machine: Machine, **environ: str) -> str:
    """Set up and look at what is there: exactly what the lock says for this Python. Returns pip's version."""
    done = machine.make("setup", **environ)
    assert done.returncode == 0, done.stdout

    marks, there = json.loads(machine.run(machine.python, "-I", "-c", WHAT_IS_THERE).stdout)
    found: dict[str, str] = {canonicalize_name(name): version for name, version in there.items()}
    locked = {name: pin.version for name, pin in chosen(pins("requirements-dev.lock"), marks).items()}
    assert {name: found[name] for name in found.keys() - BROUGHT - {PROJECT["name"]}} == locked
    return found["pip"]


def astray(folder: Path) -> dict[str, str]:
    """A user's own settings with which pip would install elsewhere, or believe that all is there."""
    coverage = folder / f"coverage-{HIGHER}.dist-info"
    coverage.mkdir(parents=True)
    (coverage / "METADATA").write_text(f"Metadata-Version: 2.1\nName: coverage\nVersion: {HIGHER}\n")
    return {"PIP_USER": "1", "PIP_TARGET": str(folder), "PYTHONPATH": str(folder)}


def fingerprints(machine: Machine, python: object) -> str:
    """What the checkout makes of the labelled mails under that Python."""
    mails = [json.loads(line) for line in MAILS.read_text().splitlines()]
    lines = [json.dumps({"id": each["id"], "subject": each["subject"], "body": each["text"]}) for each in mails]
    (machine.checkout / "mails.jsonl").write_text("\n".join(lines))
    done = machine.run("/bin/sh", "-c", f"'{python}' -m relay fingerprint <mails.jsonl")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_setup_takes_the_locked_versions_where_the_index_has_higher_ones(
    python, machine, higher_versions, an_index, tmp_path
):
    """The machine has that Python alone, with the pip that it brings; the relay then does the same as here."""
    bare = machine(python)

    pip = set_up(bare, PIP_FIND_LINKS=with_links(higher_versions), **astray(tmp_path / "astray"))

    assert pip == python.pip
    assert fingerprints(bare, bare.python) == fingerprints(bare, sys.executable)


def test_setup_takes_the_locked_versions_with_the_newest_pip(machine, higher_versions, an_index):
    python = interpreters()[-1]
    (higher_versions / f"pip-{HIGHER}-py3-none-any.whl").unlink()

    pip = set_up(machine(python), PIP_FIND_LINKS=with_links(higher_versions), VENV_OPTIONS="--upgrade-deps")

    assert Version(pip) > max(Version(each.pip) for each in interpreters())


def test_the_index_with_higher_versions_is_one_that_pip_would_take_from(higher_versions, tmp_path):
    """Else the tests above would prove nothing."""
    options = ["--quiet", "--no-index", "--find-links", str(higher_versions), "--dest", str(tmp_path / "taken")]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "coverage>=7", "zope-event"], check=True, timeout=60
    )

    assert {path.name.partition("-py3")[0] for path in (tmp_path / "taken").iterdir()} == {
        f"coverage-{HIGHER}",
        f"zope_event-{HIGHER}",
    }
