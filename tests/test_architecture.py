"""The structure of the program, read from its sources: allowed imports, the place of each library, maximal lengths.

The same for tests and benchmarks: which of them may import which, and that the tests mirror the packages.

Places are paths below `relay/`, without `.py`: `compose` is the whole package, `compose/render` one module of it. A new
package takes its place in `MAY_IMPORT`: that is a decision, not a formality.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

GROUND = ("errors", "clock", "failpoint", "data_dir", "resources", "memo", "safe_regex", "humanize", "text")
"""Single modules that know nothing of mail. Each may import those before it."""
LOOSE = {*GROUND, "housekeeping", "__main__", "__init__"}
"""All modules that lie directly under `relay/`; everything else has a package."""
CORE = {"model", "traces", "parameterize", "parse", "redact", "grouping", "schedule", "compose"}
EDGES = {"spool", "ledger", "receive", "deliver"}
STEPS = {"ingest", "digest", "outbox", "housekeeping"}

BASE = {"model", *GROUND}
TEXT = BASE | {"traces", "parameterize"}
MAY_IMPORT: dict[str, set[str]] = {
    **{name: set(GROUND[:place]) for place, name in enumerate(GROUND)},
    "model": set(GROUND),
    "config": BASE,
    "traces": BASE,
    "parameterize": BASE,
    "parse": TEXT,
    "redact": TEXT,
    "grouping": TEXT,
    "schedule": BASE,
    "compose": BASE | {"schedule", "grouping/components", "traces"},
    "receive": BASE,
    "spool": BASE | {"config"},
    "deliver": BASE | {"config"},
    "ledger": BASE | {"config"},
    "commands": BASE | {"config", "grouping", "schedule", "compose", "ledger"},
    "ingest": BASE | {"commands/joining", "config", "parse", "redact", "grouping", "schedule", "spool", "ledger"},
    "digest": BASE | {"config", "schedule", "compose", "ledger"},
    "outbox": BASE | {"config", "compose/message", "schedule/budget", "deliver", "ledger"},
    "housekeeping": BASE | {"config", "spool", "deliver", "ledger"},
    "service": BASE | {"commands", "config", "web"} | CORE | EDGES | STEPS,
    "web": BASE | {"commands", "config", "ledger", "compose", "outbox/advice", "outbox/holds"},
    "cli": BASE | {"commands", "config", "web", "service"} | CORE | EDGES | STEPS,
    "__main__": {"cli"},
    "__init__": set(),
}

FENCED = {
    "aiosmtpd": {"receive"},
    "aiosmtplib": {"deliver"},
    "authlib": {"deliver/oauth2/assertion", "deliver/oauth2/endpoint", "deliver/oauth2/sign_in"},
    "cryptography": {"deliver/oauth2/assertion"},
    "httpx2": {"deliver/oauth2/endpoint"},
    "joserfc": {"deliver/oauth2/assertion"},
    "sqlalchemy": {"ledger"},
    "alembic": {"ledger"},
    "psycopg": {"ledger"},
    "jinja2": {"compose/render"},
    "markupsafe": {"compose/highlight", "compose/render"},
    "pygments": {"compose/highlight"},
    "css_inline": {"compose/render"},
    "re2": {"safe_regex"},
    "flask": {"web"},
    "werkzeug": {"web"},
    "pydantic": {"config"},
    "click": {"cli"},
    "rich": {"cli"},
}
"""The only places in `relay` for a library."""

PURE = CORE | {"memo", "safe_regex", "text", "humanize", "outbox/retry", "outbox/advice", "outbox/token_advice"}
PURE |= {f"deliver/oauth2/{name}" for name in ("token", "bearer", "secrets", "errors")}
IMPURE = {
    "asyncio", "fcntl", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil", "signal",
    "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Sockets, files, processes, clocks and chance: what pure modules do not touch."""
IMPURE_CALLS = {"open", "input", "print", "now", "utcnow", "today"}
FINDS_TEMPLATES = "compose/render"
"""The one pure module that names a folder: its library reads the templates, once, at the start."""

VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|common)(_|$)", re.IGNORECASE)


class Import(NamedTuple):
    """One imported name: its top package, and for ours the place of the module."""

    package: str
    place: str


def place_of(file: Path) -> str:
    """`compose/render` for relay/compose/render.py, `compose` for its `__init__`."""
    parts = file.relative_to(ROOT / "relay").with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported(source: str, file: Path) -> Iterator[str]:
    """The module of every import of `source`, also of those inside functions and those for type checkers alone."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base


def imports(source: str, file: Path) -> Iterator[Import]:
    return map(split, imported(source, file))


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def split(name: str) -> Import:
    package, _, rest = name.partition(".")
    return Import(package, rest.replace(".", "/") or "__init__" if package == "relay" else "")


def lies_in(place: str, places: set[str]) -> bool:
    """True where `place` is one of `places`, or a module of one of these packages."""
    parts = place.split("/")
    return any("/".join(parts[:length]) in places for length in range(1, len(parts) + 1))


def wrong_imports(source: str, file: Path) -> list[str]:
    """What `file`, a module of relay with this text, imports against the tables."""
    place = place_of(file)
    room = place.partition("/")[0]
    allowed = MAY_IMPORT.get(room)
    if allowed is None:
        return [f"{room} has no place in MAY_IMPORT"]
    wrong = []
    for each in set(imports(source, file)):
        if each.package == "app_client":
            wrong.append("app_client")
        elif each.package == "relay":
            wrong += [] if lies_in(each.place, {"__init__", room, *allowed}) else [each.place]
        elif not lies_in(place, FENCED.get(each.package, {room})) or impure(place, each.package):
            wrong.append(each.package)
    return sorted(wrong)


def impure(place: str, package: str) -> bool:
    return lies_in(place, PURE) and package in IMPURE and (place, package) != (FINDS_TEMPLATES, "pathlib")


def impure_calls(source: str) -> list[str]:
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = {each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in called}
    return sorted(names & IMPURE_CALLS)


def too_long(source: str) -> list[str]:
    lines, found = source.count("\n"), []
    if lines > 400:
        found.append(f"the module: {lines} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > 40:
                found.append(f"{node.name}: {length} lines")
    return found


def vague_names(source: str, file: Path) -> list[str]:
    classes = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    spelt = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name) for name in classes]
    return [name for name in (*file.relative_to(ROOT).with_suffix("").parts, *spelt) if VAGUE.search(name)]


def modules(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


RELAY, CLIENT = modules("relay"), modules("app_client")
each_of_relay = pytest.mark.parametrize("file", RELAY, ids=relative)
each_module = pytest.mark.parametrize("file", RELAY + CLIENT, ids=relative)


@each_of_relay
def test_module_imports_only_what_the_tables_allow(file):
    assert wrong_imports(file.read_text(), file) == []


@pytest.mark.parametrize("file", [file for file in RELAY if lies_in(place_of(file), PURE)], ids=relative)
def test_pure_module_opens_nothing_and_reads_no_clock(file):
    assert impure_calls(file.read_text()) == []


def test_at_most_ten_modules_lie_loose_under_relay():
    loose = {file.stem for file in (ROOT / "relay").glob("*.py")}

    assert loose <= LOOSE
    assert len([name for name in loose if not name.startswith("__")]) <= 10


def imported_at_once(file: Path) -> set[str]:
    """The places that are loaded when `file` is: imports at its top, not those inside functions."""
    top = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    source = "\n".join(map(ast.unparse, top))
    return {each.place for each in imports(source, file) if each.package == "relay"}


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """The names on a circle of `graph`; [] where there is none."""
    left = {name: targets & graph.keys() - {name} for name, targets in graph.items()}
    while free := {name for name, targets in left.items() if not targets}:
        left = {name: targets - free for name, targets in left.items() if name not in free}
    return sorted(left)


def test_no_modules_import_each_other_in_a_circle():
    assert cycle_in({place_of(file): imported_at_once(file) for file in RELAY}) == []


def test_a_circle_is_found():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == ["a", "b", "c", "d"]


@each_module
def test_module_says_what_it_is_and_stays_small(file):
    source = file.read_text()

    assert too_long(source) == []
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("file", modules("relay", "app_client", "tests", "benchmarks"), ids=relative)
def test_names_say_what_a_thing_is(file):
    assert vague_names(file.read_text(), file) == []


@pytest.mark.parametrize("file", CLIENT, ids=relative)
def test_app_client_imports_the_standard_library_and_itself(file):
    """Flask may stand in its glue and in the demo, a Flask app; click, which it brings, where its commands are.

    Celery may stand in its glue.
    """
    extra = {
        "celery": {"celery"},
        "flask": {"flask"},
        "flask_cli": {"flask", "click"},
        "demo/shop": {"flask"},
        "demo/__main__": {"flask"},
    }
    allowed = {*sys.stdlib_module_names, "app_client"} | extra.get(
        str(file.relative_to(ROOT / "app_client").with_suffix("")), set()
    )

    assert {each.package for each in imports(file.read_text(), file)} - allowed == set()


def test_every_library_that_relay_imports_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    declared = {Requirement(text).name for text in project["server"] + project["postgres"] + project["oauth"]}
    imported = {each.package for file in RELAY for each in imports(file.read_text(), file)}
    theirs = imported - sys.stdlib_module_names - {"relay"}
    providers = packages_distributions()

    undeclared = {
        name for name in theirs if not declared & {part.lower().replace("_", "-") for part in providers[name]}
    }

    assert undeclared == set()


@pytest.mark.parametrize("module", ["relay.cli", "relay.receive", "relay.service.receiver", "relay.service.supervisor"])
def test_light_parts_load_nothing_of_the_worker(module):
    """The receiver stays small and starts fast, and a command loads what it needs when it is called."""
    worker = {"sqlalchemy", "alembic", "jinja2", "flask", "waitress", "css_inline", "aiosmtplib"}
    code = f"import sys, {module}; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert worker & set(done.stdout.split()) == set()


# --- Tests and benchmarks ---------------------------------------------------------------------------------------------


def lies_below(name: str, package: str) -> bool:
    """Whether the module `name` is `package` or in it; both are dotted."""
    return f"{name}.".startswith(f"{package}.")


def is_test_module(name: str) -> bool:
    return lies_below(name, "tests") and name.rpartition(".")[2].startswith("test_")


def needed_by(files: list[Path]) -> set[str]:
    """The modules of tests and benchmarks that `files` import, directly or not."""
    found: set[str] = set()
    todo = [*files]
    while todo:
        file = todo.pop()
        names = {name for name in imported(file.read_text(), file) if name.split(".")[0] in {"tests", "benchmarks"}}
        todo += [module for name in names - found if (module := ROOT / f"{name.replace('.', '/')}.py").exists()]
        found |= names
    return found


TESTS, BENCHMARKS = modules("tests"), modules("benchmarks")
COLLECTED = [file for file in TESTS if file.stem == "conftest" or file.stem.startswith("test_")]
"""What pytest imports by itself."""


@pytest.mark.parametrize("file", BENCHMARKS, ids=relative)
def test_benchmark_imports_nothing_of_the_tests(file):
    assert [name for name in imported(file.read_text(), file) if lies_below(name, "tests")] == []


def test_suite_runs_without_the_benchmarks():
    """The sdist ships the tests without them; only programs in tests/endurance, which nobody collects, use them."""
    assert {name for name in needed_by(COLLECTED) if lies_below(name, "benchmarks")} == set()


@pytest.mark.parametrize("file", [file for file in TESTS if "endurance" not in file.parts], ids=relative)
def test_only_the_endurance_programs_import_benchmarks(file):
    assert [name for name in imported(file.read_text(), file) if lies_below(name, "benchmarks")] == []


@pytest.mark.parametrize("file", TESTS, ids=relative)
def test_no_module_imports_a_test_module(file):
    """What several tests share lies in tests/support."""
    assert [name for name in imported(file.read_text(), file) if is_test_module(name)] == []


@pytest.mark.parametrize(("tests", "package"), [("tests/unit", "relay"), ("tests/app_client", "app_client")])
def test_folders_of_the_tests_mirror_the_packages(tests, package):
    folders = {file.parent.relative_to(ROOT / tests) for file in modules(tests)}

    assert [folder for folder in sorted(folders) if not (ROOT / package / folder).is_dir()] == []


def test_a_wrong_import_of_tests_or_benchmarks_is_found():
    source = "from tests.unit import test_memo\nfrom tests.unit.test_memo import x\nfrom tests.support import mails"
    names = list(imported(source, ROOT / "tests/unit/test_text.py"))

    assert names == ["tests.unit.test_memo", "tests.unit.test_memo", "tests.support.mails"]
    assert [is_test_module(name) for name in names] == [True, True, False]
    assert not lies_below("testsuite.x", "tests")


def test_what_is_needed_indirectly_is_found():
    """soak.py imports vitals.py, which imports the harness."""
    soak = ROOT / "tests/endurance/soak.py"

    assert "benchmarks.harness.relays" not in set(imported(soak.read_text(), soak))
    assert "benchmarks.harness.relays" in needed_by([soak])


# --- The fences themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("model/mail.py", "from relay.config import Settings", ["config"]),
        ("traces/java.py", "from relay.grouping.fingerprint import fingerprint", ["grouping/fingerprint"]),
        ("grouping/rules.py", "from relay.model import Report", []),
        ("schedule/route.py", "def f():\n    import socket", ["socket"]),
        ("spool/writer.py", "import relay.ledger", ["ledger"]),
        ("ledger/tables.py", "from .rows import Row\nfrom ..deliver import upstream", ["deliver/upstream"]),
        ("ingest/batch.py", "from relay.deliver.upstream import Upstream", ["deliver/upstream"]),
        ("ingest/batch.py", "from sqlalchemy.orm import Session", ["sqlalchemy"]),
        ("compose/outline.py", "import jinja2", ["jinja2"]),
        ("compose/render.py", "import jinja2, pathlib", []),
        ("web/pages.py", "from relay.spool import SpoolReader\nimport flask", ["spool"]),
        ("service/worker.py", "import app_client.capture.report", ["app_client"]),
        ("misc/thing.py", "", ["misc has no place in MAY_IMPORT"]),
    ],
)
def test_a_wrong_import_is_found(name, source, expected):
    assert wrong_imports(source, ROOT / "relay" / name) == expected


def test_long_and_vague_things_are_found():
    long_function = "def f():\n" + "    x = 1\n" * 40

    assert too_long(long_function) == ["f: 41 lines"]
    assert too_long("x = 1\n" * 401) == ["the module: 401 lines"]
    assert vague_names("class RowManager: ...\nclass Commoner: ...", ROOT / "relay/text_utils.py") == [
        "text_utils",
        "Row_Manager",
    ]
    assert impure_calls("a = datetime.now(UTC)\nb = open('x')") == ["now", "open"]
