"""The wheel and the editable install hold what the checkout holds, and the locks what pyproject.toml asks for."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from relay.__main__ import main as relay_command
from tests.support.paths import ROOT
from tests.support.smtp_sinks import Sink

BUILD = "import sys, hatchling.build; print(getattr(hatchling.build, sys.argv[1])(sys.argv[2]))"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build(hook: str, folder: Path) -> Path:
    """Build as a front end would, by the standard's `build_wheel` or `build_editable`."""
    return folder / run(sys.executable, "-c", BUILD, hook, folder, cwd=ROOT).splitlines()[-1]


def install(wheel: Path, folder: Path) -> Path:
    """Install `wheel` alone into an empty virtual environment; its Python comes back.

    With what it requires, of which there is nothing to be had: one requirement, and pip fails.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=wheel.parent)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", wheel, cwd=wheel.parent)
    return python


def templates_of(python: Path, cwd: Path) -> Path:
    return Path(run(python, "-I", "-c", "from relay.resources import templates_dir; print(templates_dir())", cwd=cwd))


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("build_wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    return install(wheel, wheel.parent / "venv")


def test_wheel_ships_every_file_of_the_packages(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())

    for package in ("relay", "app_client"):
        assert {f"{package}/{name}" for name in files(ROOT / package)} <= shipped
    assert {f"relay/templates/{name}" for name in files(ROOT / "templates")} <= shipped
    assert not any(name.startswith(("templates/", "tests/")) for name in shipped)


def test_installed_wheel_finds_the_templates_beside_the_package(installed, tmp_path):
    found = templates_of(installed, tmp_path)

    assert found.parts[-3:] == ("site-packages", "relay", "templates")
    assert files(found) == files(ROOT / "templates") != set()


def test_editable_install_finds_the_templates_of_the_checkout(tmp_path):
    python = install(build("build_editable", tmp_path), tmp_path / "venv")

    assert templates_of(python, tmp_path) == ROOT / "templates"


def test_the_wheel_brings_in_no_other_package(installed, tmp_path):
    code = "from importlib.metadata import distributions as d; print(*{each.name for each in d()})"

    assert run(installed, "-I", "-c", code, cwd=tmp_path) == "error-mail-relay"


NEEDS_OTHERS = {
    "app_client.celery",
    "app_client.flask",
    "app_client.flask_cli",
    "app_client.demo.shop",
    "app_client.demo.__main__",
}
MAIL = """
import importlib, logging, pkgutil, sys, app_client
for module in pkgutil.walk_packages(app_client.__path__, "app_client."):
    if module.name not in %r:
        importlib.import_module(module.name)
logger = logging.getLogger("yourapplication")
logger.addHandler(app_client.ErrorMailHandler(sys.argv[1], "a@example.com", "b@example.com", "Failed"))
try:
    {}["order"]
except KeyError:
    logger.exception("from an empty environment")
"""


def test_app_client_needs_no_other_package(installed, tmp_path):
    """In the empty environment every import outside of the standard library would fail; and it mails."""
    sink = Sink().start()
    run(installed, "-I", "-c", MAIL % NEEDS_OTHERS, f"127.0.0.1:{sink.port}", cwd=tmp_path)
    sink.stop()

    [mail] = sink.mails
    assert "from an empty environment\nTraceback (most recent call last):\n" in mail.text
    assert mail.text.rstrip().endswith("KeyError: 'order'")


def test_command_of_the_base_install_says_what_to_install(installed, tmp_path):
    sentence = 'relay: the library click is not installed: run pip install "error-mail-relay[server]"\n'

    for command in ([installed.with_name("relay"), "status"], [installed, "-I", "-m", "relay", "--help"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


@pytest.mark.parametrize(
    ("library", "extra"),
    [("rich", "server"), ("re2", "server"), ("psycopg", "server,postgres"), ("authlib", "server,oauth")],
)
def test_library_that_only_one_command_needs_is_named_as_well(monkeypatch, capsys, library, extra):
    """Flask brings click to the base install, so the command gets further there."""

    def fail() -> None:
        raise ModuleNotFoundError(f"No module named '{library}.part'", name=f"{library}.part")

    monkeypatch.setattr("relay.cli.main", fail)
    with pytest.raises(SystemExit, match="2"):
        relay_command()

    assert capsys.readouterr().err == (
        f'relay: the library {library} is not installed: run pip install "error-mail-relay[{extra}]"\n'
    )


@pytest.mark.parametrize("module", ["relay.nothing", "json.nothing"])
def test_missing_module_of_ours_is_a_traceback(monkeypatch, module):
    def fail() -> None:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr("relay.cli.main", fail)
    with pytest.raises(ModuleNotFoundError):
        relay_command()


def test_top_level_names_are_the_documented_ones(wheel):
    """Whatever the distribution puts beside other packages, the page for apps says."""
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    page = (ROOT / "docs" / "app-client.md").read_text()

    assert names == {"relay", "app_client"}
    assert "takes the top-level names `relay` and `app_client`, and the command `relay`" in " ".join(page.split())


def test_import_of_relay_needs_and_loads_no_other_package(installed, tmp_path):
    code = "import sys; before = set(sys.modules); import relay; print(*sorted(set(sys.modules) - before))"

    assert run(installed, "-I", "-c", code, cwd=tmp_path) == "relay"


def test_missing_templates_are_reported_with_the_searched_places(installed, tmp_path):
    """A broken installation must say so, instead of failing at the first digest."""
    broken = tmp_path / "relay"
    broken.mkdir()
    for name in ("__init__.py", "resources.py"):
        (broken / name).write_bytes((ROOT / "relay" / name).read_bytes())
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from relay.resources import templates_dir; templates_dir()"
    )

    done = subprocess.run([installed, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert f"templates are missing; looked for {broken}/templates and {tmp_path}/templates" in done.stderr


def pins(lock: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[a-z][^\\\n]*", (ROOT / lock).read_text(), re.MULTILINE):
        pin = Requirement(line)
        found.setdefault(pin.name, []).append(pin)
    return found


def excludes(requirement: Requirement, pin: Requirement) -> bool:
    """Whether no supported Python takes both: one library in two versions, for older and newer Pythons."""
    versions = [{"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"} for minor in (11, 12, 13)]
    markers = [each.marker for each in (requirement, pin) if each.marker]
    return not any(all(marker.evaluate(version) for marker in markers) for version in versions)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ("server", "postgres")),
        ("requirements-oauth.lock", ("server", "postgres", "oauth")),
        ("requirements-dev.lock", ("server", "postgres", "oauth", "dev")),
    ],
)
def test_lock_pins_what_the_extras_ask_for(lock, extras):
    asked = [Requirement(text) for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    locked = pins(lock)

    for requirement in asked:
        if requirement.name != PROJECT["name"]:
            for pin in locked[requirement.name]:
                if excludes(requirement, pin):
                    continue
                assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), (requirement, pin)


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("*.lock")))
def test_lock_has_a_hash_for_every_pin_and_no_address(lock):
    text = (ROOT / lock).read_text()

    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]

    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ ", text)
