"""The shape of the program, read from its sources: who may know whom, where each library stands, how long things get.

A new module takes its place in `MAY_IMPORT` (with the core's in `FLOW`): that is a decision, not a formality.
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

ROOT = Path(__file__).parents[1]

LEAVES = {"model", "errors", "clock", "paths", "failpoint", "kept", "linear"}
FLOW = (
    "traces", "mail", "forms", "situations", "replacements", "patterns", "placeholders", "arguments", "enclosure",
    "parse", "redact", "fingerprint",
    "versions", "anatomy", "rules", "comparison", "regrouping", "routing",
    "wording", "advice", "retry", "schedule", "entries", "correlation", "turns", "budget",
    "notes", "item", "highlight", "page", "specimen", "mime", "render",
)  # fmt: skip
"""The pure core in the order in which a mail meets it: each may import what stands before it."""
EDGES = {"spool", "ledger", "receive", "deliver"}
STEPS = {"sort", "digest", "outbox", "housekeeping"}

NOUNS = {"model", "errors", "paths", "kept", "linear"}
MAY_IMPORT: dict[str, set[str]] = {
    **{leaf: {"model", "errors"} for leaf in LEAVES},
    "config": NOUNS,
    **{module: NOUNS | set(FLOW[:place]) for place, module in enumerate(FLOW)},
    **{edge: NOUNS | {"config", "failpoint"} for edge in EDGES},
    "sort": NOUNS | {"config", "failpoint", *FLOW, "spool", "ledger", "succession"},
    "succession": NOUNS | {*FLOW, "ledger"},
    "digest": NOUNS | {"config", "failpoint", *FLOW, "ledger"},
    "outbox": NOUNS | {"config", "failpoint", *FLOW, "ledger", "deliver"},
    "housekeeping": NOUNS | {"config", "failpoint", *FLOW, "ledger", "spool", "deliver"},
    "service": LEAVES | {"config", *FLOW, *EDGES, *STEPS, "web"},
    "web": NOUNS | {"config", "ledger", "render", "advice"},
    "cli": LEAVES | {"config", *FLOW, *EDGES, *STEPS, "web", "service"},
    "__main__": {"cli"},
    "": set(),  # relay/__init__.py
}

FENCED = {
    "aiosmtpd": {"receive"},
    "aiosmtplib": {"deliver"},
    "sqlalchemy": {"ledger"},
    "alembic": {"ledger"},
    "psycopg": {"ledger"},
    "jinja2": {"render"},
    "markupsafe": {"highlight", "render"},
    "pygments": {"highlight"},
    "css_inline": {"render"},
    "re2": {"linear"},
    "flask": {"web"},
    "werkzeug": {"web"},
    "pydantic": {"config"},
    "click": {"cli"},
    "rich": {"cli"},
}
"""The only places in `relay` for a library."""

IMPURE = {
    "asyncio", "fcntl", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil", "signal",
    "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Sockets, files, processes, clocks and chance: what the core does not touch."""
IMPURE_CALLS = {"open", "input", "print", "now", "utcnow", "today"}
FINDS_TEMPLATES = "render"
"""The one of the core that names a folder: its library reads the templates, once, at the start."""

VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|common)(_|$)", re.IGNORECASE)


class Import(NamedTuple):
    """One imported name: its top package, and for ours the component below it."""

    package: str
    component: str


def component_of(file: Path) -> str:
    first = file.relative_to(ROOT / "relay").parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(source: str, file: Path) -> Iterator[Import]:
    """Every import of `source`, also those inside functions and those for type checkers alone."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (split(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield split(f"relay.{alias.name}" if base == "relay" and alias.name in MAY_IMPORT else base)


def split(name: str) -> Import:
    package, _, rest = name.partition(".")
    return Import(package, rest.partition(".")[0] if package == "relay" else "")


def wrong_imports(source: str, file: Path) -> list[str]:
    """What `file`, a module of relay with this text, imports against the tables."""
    own = component_of(file)
    allowed = MAY_IMPORT.get(own)
    if allowed is None:
        return [f"{own} has no place in MAY_IMPORT"]
    wrong = []
    for each in set(imports(source, file)):
        if each.package == "app_client":
            wrong.append("app_client")
        elif each.package == "relay":
            wrong += [] if each.component in {"", own, *allowed} else [each.component]
        elif own not in FENCED.get(each.package, {own}) or impure(own, each.package):
            wrong.append(each.package)
    return sorted(wrong)


def impure(component: str, package: str) -> bool:
    return component in FLOW and package in IMPURE and (component, package) != (FINDS_TEMPLATES, "pathlib")


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


@pytest.mark.parametrize("file", [file for file in RELAY if component_of(file) in FLOW], ids=relative)
def test_core_opens_nothing_and_reads_no_clock(file):
    assert impure_calls(file.read_text()) == []


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
    """Flask may stand in its glue and in the demo, a Flask app; click, which it brings, where its commands are."""
    extra = {"flask": {"flask"}, "demo": {"flask"}, "commands": {"flask", "click"}}
    allowed = {*sys.stdlib_module_names, "app_client"} | extra.get(file.stem, set())

    assert {each.package for each in imports(file.read_text(), file)} - allowed == set()


def test_every_library_that_relay_imports_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    declared = {Requirement(text).name for text in project["server"] + project["postgres"]}
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


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("model.py", "from relay.config import Settings", ["config"]),
        ("parse.py", "from relay import fingerprint, model", ["fingerprint"]),
        ("fingerprint.py", "from relay.parse import parse", []),
        ("parse.py", "def f():\n    import socket", ["socket"]),
        ("spool.py", "import relay.ledger", ["ledger"]),
        ("ledger/tables.py", "from .rows import Row\nfrom ..deliver import Upstream", ["deliver"]),
        ("sort.py", "from relay.deliver import Upstream", ["deliver"]),
        ("sort.py", "from sqlalchemy.orm import Session", ["sqlalchemy"]),
        ("web/pages.py", "from relay.spool import SpoolReader\nimport flask", ["spool"]),
        ("service.py", "import app_client.report", ["app_client"]),
        ("misc.py", "", ["misc has no place in MAY_IMPORT"]),
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
