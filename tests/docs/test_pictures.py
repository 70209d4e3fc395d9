"""Take the pictures of docs/pictures.md with real Chromium, and compare them with those in docs/."""

import re
import shutil
import struct
import sys
from pathlib import Path

import pytest

from tests.support.doc_snippets import run
from tests.support.paths import DOCS, ROOT

NAMES = re.findall(r'src="(\w+\.png)"', (DOCS / "pictures.md").read_text())
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def size(file: Path) -> tuple[int, int]:
    """Return width and height of a PNG file (its first chunk, PNG specification section 11.2.2)."""
    head = file.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return struct.unpack(">II", head[16:])


def test_every_picture_of_the_page_is_in_docs():
    assert NAMES == ["digest.png", "overview.png", "error.png"]
    assert {file.name for file in DOCS.glob("*.png")} == set(NAMES)
    assert all(size(DOCS / name)[0] == 760 for name in NAMES)


@pytest.mark.e2e
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="Chromium is not installed")
def test_pictures_can_be_taken_again(tmp_path):
    done = run([sys.executable, str(ROOT / ".ci" / "pictures.py"), str(tmp_path)], tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: size(tmp_path / name) for name in NAMES} == {name: size(DOCS / name) for name in NAMES}


def test_missing_chromium_is_reported(tmp_path):
    done = run([sys.executable, str(ROOT / ".ci" / "pictures.py"), str(tmp_path)], tmp_path, PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "Chromium is not installed (Debian: apt-get install chromium).\n")
