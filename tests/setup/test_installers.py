"""No command in the Makefile, the scripts, the Dockerfile or the docs lets an installer resolve versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

PLACES = ("Makefile", "Dockerfile", "*.md", "*.yml", ".*.yaml", ".ci/*", "docs/**/*.md")
FILES = sorted({path for place in PLACES for path in ROOT.glob(place) if path.is_file()})
INSTALLER = re.compile(r"\bpip3?(?: -\S+(?: [^\s-]\S*)?)* (?:install|wheel|download)\b[^|;&`)]*")


def installers(text: str) -> Iterator[str]:
    """Yield each call of pip that may download something, with its continuation lines; comments are skipped."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.lstrip().startswith("# "):
            yield from (match[0].strip() for match in INSTALLER.finditer(line))


def resolves(command: str) -> bool:
    """Return whether the index decides what is installed; the hashes of a lock, or no index at all, prevent it.

    An address in git names the version itself. pip asks the index for the build backend alone.
    """
    if re.search(r"@ git\+https://\S+@", command):
        return False
    words = set(command.split())
    reads_a_file = words & {"-r", "--requirement"} or ".lock" in command
    return not {"--no-deps", "--require-hashes" if reads_a_file else "--no-index"} <= words


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("RUN /build/bin/pip install --no-deps --require-hashes -r requirements.lock", []),
        ("pip install --no-deps -r requirements.lock", ["pip install --no-deps -r requirements.lock"]),
        ("    /opt/x/bin/pip install --no-deps .", ["pip install --no-deps ."]),
        ("pip --python /opt/x/bin/python install \\\n  --require-hashes -r x.lock", None),
        ("pip wheel . && echo done", ["pip wheel ."]),
        ("Take `pip install flask`.", ["pip install flask"]),
        ("python -m pip --quiet install --no-index --no-deps --no-build-isolation -e .", []),
        ('pip install "x @ git+https://example.com/x.git@v1.0"', []),
        ('pip install "x @ git+https://example.com/x.git"', ['pip install "x @ git+https://example.com/x.git"']),
        ("# These variables would make pip install elsewhere.", []),
    ],
)
def test_command_that_would_resolve_is_found(line, found):
    commands = [command for command in installers(line) if resolves(command)]

    assert commands == found if found is not None else len(commands) == 1


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_resolves(file):
    text = file.read_text()

    assert [command for command in installers(text) if resolves(command)] == []
    if '"install"' in text:  # a script in Python
        assert '"--no-deps", "--require-hashes"' in text


def test_the_files_with_commands_are_among_the_checked_ones():
    looked_at = {str(file.relative_to(ROOT)) for file in FILES if any(installers(file.read_text()))}

    assert {".ci/install", "Dockerfile", "docs/operations.md"} <= looked_at
