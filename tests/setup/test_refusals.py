"""Where the set-up cannot go on it ends in one sentence that says what to do, not in another program's words."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from tests.setup.locks import SERVED
from tests.setup.surroundings import Machine, interpreters, last_words
from tests.support.paths import ROOT

NEEDED = "This project needs Python 3.11, 3.12 or 3.13"
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}


def pretend(machine: Machine, name: str, version: str) -> None:
    """Put a Python on the machine that takes itself for another version."""
    numbers = ", ".join(version.split("."))
    folder = machine.bin.parent / f"pretending {version}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.version_info = ({numbers}, 0, 'final', 0)\n")
    machine.script(name, f"PYTHONPATH='{folder}' exec '{sys.executable}' \"$@\"")


def test_the_versions_in_the_sentence_are_those_that_the_project_names():
    assert f"This project needs Python {', '.join(SERVED[:-1])} or {SERVED[-1]}" == NEEDED
    assert f'requires-python = ">={SERVED[0]}"' in (ROOT / "pyproject.toml").read_text()
    for page in ("README.md", "CONTRIBUTING.md", "docs/operations.md"):
        assert f"Python {', '.join(SERVED[:-1])} or {SERVED[-1]}" in (ROOT / page).read_text(), page
    assert set(re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) <= set(SERVED)


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14", "4.0"])
def test_a_python_that_is_named_and_not_served_is_refused(version, machine):
    bare = machine()
    pretend(bare, "python3.x", version)

    done = bare.make("PYTHON=python3.x", "demo")

    assert done.returncode != 0
    assert (
        last_words(done) == f"{NEEDED}, but python3.x is {version}: name another one with make PYTHON=/path/to/python3"
    )


def test_a_python_that_does_not_run_is_refused(machine):
    done = machine().make("PYTHON=/no such/python3", "test")

    assert (
        last_words(done)
        == f"{NEEDED}, but /no such/python3 does not run: name another one with make PYTHON=/path/to/python3"
    )


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_a_machine_without_a_served_python_is_told_so(version, machine):
    bare = machine()
    pretend(bare, "python3", version)

    done = bare.make("demo")

    assert (
        last_words(done)
        == f"{NEEDED}, but PATH has none of them: install one, or name it with make PYTHON=/path/to/python3"
    )


def test_another_python_on_path_is_taken_where_python3_is_not_served(machine):
    """It gets as far as the package index, which cannot be reached."""
    python = interpreters()[-1]
    bare = machine(python)
    pretend(bare, "python3", "3.10")

    done = bare.make("demo", **NO_INDEX)

    assert f"Setting up .venv with Python {python.version}." in done.stdout
    assert last_words(done).startswith("pip could not install requirements-dev.lock, for the reason above: where the")


@pytest.mark.parametrize("module", ["ensurepip", "venv", "sqlite3", "ssl"])
def test_a_python_without_a_part_of_the_standard_library_is_refused(module, machine):
    """Debian has `venv` and `ensurepip` in a package of their own; who builds Python may lack the others."""
    bare = machine()
    (bare.bin.parent / "lacking").mkdir()
    (bare.bin.parent / "lacking" / f"{module}.py").write_text(
        f"raise ModuleNotFoundError('No module named {module}')\n"
    )
    bare.script("python3", f"PYTHONPATH='{bare.bin.parent}/lacking' exec '{sys.executable}' \"$@\"")

    done = bare.make("demo")

    assert last_words(done).startswith(
        f"python3 lacks a part of Python's standard library (No module named {module}): install"
    )


def test_a_folder_in_which_nothing_can_be_made_is_said_so(machine):
    bare = machine(*interpreters()[:1])
    (bare.checkout / ".venv").write_text("in the way")

    done = bare.make("demo")

    assert last_words(done) == (
        f"python{interpreters()[0].version} cannot make .venv here, for the reason above:"
        " mend that, or clone into a folder that you may write to"
    )


def test_a_set_up_that_was_moved_or_lost_its_python_is_made_anew(machine):
    bare = machine()
    binaries = bare.checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    for name in (".locked", ".ready"):
        (bare.checkout / ".venv" / name).write_text(f"{bare.checkout}\n")
    assert "Nothing to be done" in bare.make("setup").stdout

    (binaries / "python").unlink()
    assert ".ci/setup" in bare.make("-n", "setup").stdout

    (binaries / "python").symlink_to(sys.executable)
    bare.checkout = bare.checkout.rename(bare.checkout.parent / "moved")
    assert ".ci/setup" in bare.make("-n", "setup").stdout


def test_make_alone_needs_no_tool_but_a_shell(machine):
    bare = machine()
    for tool in bare.bin.iterdir():
        if tool.name not in {"make", "sh"}:
            tool.unlink()

    done = bare.make()

    assert done.returncode == 0
    assert re.search(r"^  make demo +a relay, an app that fails", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("missing", ["git", "make"])
def test_the_gate_names_a_tool_that_it_lacks(missing, machine):
    bare = machine()
    for tool in ("bash", "dirname", "git"):
        bare.link(tool, shutil.which(tool) or "")
    (bare.bin / missing).unlink()

    done = bare.run(bare.bin / "bash", ".ci/run")

    assert (done.returncode, last_words(done)) == (1, f"{missing} is not installed: install it, and run this again")


def test_a_hook_without_a_set_up_says_what_to_run(machine):
    bare = machine()

    done = bare.run("/bin/sh", ".ci/hook", "ruff", "check")

    assert (done.returncode, last_words(done)) == (1, "There is no .venv here: run make setup first")


def test_tests_that_lack_a_tool_are_named(machine):
    """Who is not root, or has no Debian, gets no packages installed."""
    done = machine().make("tools")

    assert done.returncode == 0
    assert "swaks is not installed: the tests that send with it are skipped." in done.stdout
    assert "strace is not installed" in done.stdout
