"""Run the commands of docs/install.md in an empty environment, without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from tests.support.doc_snippets import replaced, snippets
from tests.support.paths import ROOT

BLOCKS = snippets("install.md")
BUILD, WHEEL, GIT, IMAGE, CHECK = BLOCKS.values()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel, built by the command of the page."""
    folder = tmp_path_factory.mktemp("dist")
    here = {" dist": f" {quote(str(folder))}", ".venv/bin/python": quote(sys.executable)}
    shell(replaced(BUILD, here), ROOT, Path(sys.executable).parent)
    return folder


@pytest.fixture
def bins(tmp_path: Path) -> Path:
    """The programs of an empty virtual environment; its pip is that of the tests."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    return tmp_path / "venv" / "bin"


def shell(command: str, folder: Path, bins: Path) -> str:
    """Run a command with the Python in `bins`; pip builds with the packages of the tests, and downloads nothing."""
    variables = {
        "PATH": f"{bins}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the variable of a negative option the other way round
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_installs_without_an_index_and_can_be_imported(tmp_path, dist, bins):
    shell(replaced(WHEEL, {"dist": str(dist)}), tmp_path, bins)

    assert shell(CHECK, tmp_path, bins) == "app_client is installed\n"
    assert shell("python3 -m pip list --format freeze", tmp_path, bins).count("error-mail-relay") == 1


def test_git_address_installs_the_same(tmp_path, bins):
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (next((bins.parent / "lib").glob("python*")) / "site-packages" / "build.pth").write_text(f"{site}\n")
    copy = tmp_path / "copy"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "relay", "app_client", "templates"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v1.0"]):
        subprocess.run([*git, *arguments], cwd=copy, check=True, timeout=60)
    command = replaced(
        GIT,
        {
            "https://git.example.com/error-mail-relay.git": f"file://localhost{copy}",
            "install ": "install --ignore-installed --no-deps ",
        },
    )
    shell(command, tmp_path, bins)

    assert shell(CHECK, tmp_path, bins) == "app_client is installed\n"
    where = shell("python3 -c 'import app_client; print(app_client.__file__)'", tmp_path, bins)
    assert where.startswith(str(bins.parent))


def test_image_installs_the_wheel_by_the_same_command(tmp_path, dist, bins):
    [copied] = re.findall(r"^COPY (\S+) (\S+)$", IMAGE, re.MULTILINE)
    (tmp_path / "vendor").symlink_to(dist)
    [command] = re.findall(r"^RUN (.*)$", IMAGE, re.MULTILINE)
    shell(command, tmp_path, bins)

    assert copied == ("vendor/", "vendor/")
    assert shell(CHECK, tmp_path, bins) == "app_client is installed\n"


def test_every_snippet_is_run():
    assert list(BLOCKS) == [
        "From a wheel file 1 sh",
        "From a wheel file 2 sh",
        "From a git address 1 sh",
        "In a container image 1 dockerfile",
        "Check it 1 sh",
    ]
