"""A set-up that fails ends with one sentence that says what to do, not with the error text of another program."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from tests.setup.locks import SUPPORTED
from tests.setup.surroundings import Machine, interpreters, last_line
from tests.support.paths import ROOT

NEEDED = "This project needs Python 3.11, 3.12 or 3.13"
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}


def pretend(machine: Machine, name: str, version: str) -> None:
    """Put a Python on the machine that reports another version."""
    numbers = ", ".join(version.split("."))
    folder = machine.bin.parent / f"pretending {version}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.version_info = ({numbers}, 0, 'final', 0)\n")
    machine.script(name, f"PYTHONPATH='{folder}' exec '{sys.executable}' \"$@\"")


def test_versions_in_the_sentence_are_the_supported_ones():
    assert f"This project needs Python {', '.join(SUPPORTED[:-1])} or {SUPPORTED[-1]}" == NEEDED
    assert f'requires-python = ">={SUPPORTED[0]}"' in (ROOT / "pyproject.toml").read_text()
    for page in ("README.md", "CONTRIBUTING.md", "docs/operations.md"):
        assert f"Python {', '.join(SUPPORTED[:-1])} or {SUPPORTED[-1]}" in (ROOT / page).read_text(), page
    assert set(re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) <= set(SUPPORTED)


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14", "4.0"])
def test_named_python_of_an_unsupported_version_is_refused(version, machine):
    bare = machine()
    pretend(bare, "python3.x", version)

    done = bare.make("PYTHON=python3.x", "demo")

    assert done.returncode != 0
    assert (
        last_line(done) == f"{NEEDED}, but python3.x is {version}: name another one with make PYTHON=/path/to/python3"
    )


def test_named_python_that_does_not_run_is_refused(machine):
    done = machine().make("PYTHON=/no such/python3", "test")

    assert (
        last_line(done)
        == f"{NEEDED}, but /no such/python3 does not run: name another one with make PYTHON=/path/to/python3"
    )


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_machine_without_a_supported_python_is_refused(version, machine):
    bare = machine()
    pretend(bare, "python3", version)

    done = bare.make("demo")

    assert (
        last_line(done)
        == f"{NEEDED}, but PATH has none of them: install one, or name it with make PYTHON=/path/to/python3"
    )


def test_another_python_on_path_is_used_if_python3_is_not_supported(machine):
    """The set-up then fails at the package index, which is not reachable."""
    python = interpreters()[-1]
    bare = machine(python)
    pretend(bare, "python3", "3.10")

    done = bare.make("demo", **NO_INDEX)

    assert f"Setting up .venv with Python {python.version}." in done.stdout
    assert last_line(done).startswith("pip could not install requirements-dev.lock, for the reason above: if the")


@pytest.mark.parametrize("module", ["ensurepip", "venv", "sqlite3", "ssl"])
def test_python_without_a_part_of_the_standard_library_is_refused(module, machine):
    """Debian has `venv` and `ensurepip` in a separate package; a Python built from source may lack the others."""
    bare = machine()
    (bare.bin.parent / "lacking").mkdir()
    (bare.bin.parent / "lacking" / f"{module}.py").write_text(
        f"raise ModuleNotFoundError('No module named {module}')\n"
    )
    bare.script("python3", f"PYTHONPATH='{bare.bin.parent}/lacking' exec '{sys.executable}' \"$@\"")

    done = bare.make("demo")

    assert last_line(done).startswith(
        f"python3 lacks a part of Python's standard library (No module named {module}): install"
    )


def test_folder_in_which_venv_cannot_be_created_is_an_error_with_advice(machine):
    bare = machine(*interpreters()[:1])
    (bare.checkout / ".venv").write_text("in the way")

    done = bare.make("demo")

    assert last_line(done) == (
        f"python{interpreters()[0].version} cannot create .venv here, for the reason above:"
        " fix that, or clone into a folder that you may write to"
    )


def test_set_up_that_was_moved_or_lost_its_python_is_created_again(machine):
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


def test_make_without_target_needs_only_a_shell(machine):
    bare = machine()
    for tool in bare.bin.iterdir():
        if tool.name not in {"make", "sh"}:
            tool.unlink()

    done = bare.make()

    assert done.returncode == 0
    assert re.search(r"^  make demo +a relay, an app that fails", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("missing", ["git", "make"])
def test_gate_names_a_missing_tool(missing, machine):
    bare = machine()
    for tool in ("bash", "dirname", "git"):
        bare.link(tool, shutil.which(tool) or "")
    (bare.bin / missing).unlink()

    done = bare.run(bare.bin / "bash", ".ci/run")

    assert (done.returncode, last_line(done)) == (1, f"{missing} is not installed: install it, and run this again")


def test_hook_without_set_up_says_what_to_run(machine):
    bare = machine()

    done = bare.run("/bin/sh", ".ci/hook", "ruff", "check")

    assert (done.returncode, last_line(done)) == (1, "There is no .venv here: run make setup first")


def test_missing_tools_are_printed_with_the_tests_that_are_skipped(machine):
    """Without root or Debian no packages are installed."""
    done = machine().make("tools")

    assert done.returncode == 0
    assert "swaks is not installed: the tests that send with it are skipped." in done.stdout
    assert "strace is not installed" in done.stdout
