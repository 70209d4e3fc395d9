"""Compare the documents with the program: settings, commands, targets, files and links, in both directions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import click
import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from app_client import MAIL_FORMAT
from relay.cli import main
from relay.config import Settings
from relay.config.section import section_in
from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ALL_PAGES = sorted([*PAGES, *ROOT.glob("benchmarks/*.md"), *ROOT.glob("tests/**/*.md")])
CONFIGURATION = ROOT / "docs" / "configuration.md"
RECIPE = """\
ADMINS = ['yourname@example.com']
if not app.debug:
    import logging
    from logging.handlers import SMTPHandler
    mail_handler = SMTPHandler('127.0.0.1', 'server-error@example.com', ADMINS, 'YourApplication Failed')
    mail_handler.setLevel(logging.ERROR)
    app.logger.addHandler(mail_handler)
"""


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting with its table before a dot, as the document names it."""
    for name, field in model.model_fields.items():
        table = section_in(field)
        if table is None or prefix == "route.":  # a route's own timing is one setting
            yield prefix + name, field
        else:
            yield from settings(table, f"{prefix}{name}.")


def documented() -> dict[str, str]:
    """What `docs/configuration.md` gives as defaults: the second cell of each row that begins with settings in code."""
    rows = re.findall(r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \| (.*?) \|", CONFIGURATION.read_text(), re.MULTILINE)
    return {name: default for names, default in rows for name in re.findall(r"`([\w.]+)`", names)}


def value_of(field: FieldInfo, text: str) -> Any:
    """The value that the relay would read from `text`, as the environment holds it."""
    kind: Any = Annotated[(field.annotation, "as documented", *field.metadata)]
    return TypeAdapter(kind).validate_python(text)


SETTINGS = dict(settings())


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_with_its_default(name):
    field, cell = SETTINGS[name], documented()[name]
    code = re.fullmatch(r"`([^`]+)`", cell)

    if code:
        assert value_of(field, code[1].strip('"')) == field.get_default(call_default_factory=True)
    elif cell == "required":
        assert field.is_required()
    else:  # in words: nothing is set, or it depends on something else
        assert field.default_factory or field.default in (None, "") or name in ("route.timing", "route.learn")


def test_no_setting_is_documented_that_does_not_exist():
    assert set(documented()) - set(SETTINGS) == set()


def commands(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, f"{path} {name} is listed and not there"
            yield from commands(found, f"{path} {name}")
    else:
        yield path


def test_every_command_is_documented():
    text = "\n".join(page.read_text() for page in PAGES)
    found = list(commands(main, "relay"))

    assert "relay serve" in found
    assert [command for command in found if not re.search(rf"`{command}\b", text)] == []


def test_no_command_is_documented_that_does_not_exist():
    known = {path.split()[1] for path in commands(main, "relay")}
    text = "\n".join(page.read_text() for page in PAGES)

    assert set(re.findall(r"`relay ([a-z][a-z-]*)", text)) - known == set()


def test_every_make_target_is_documented_and_the_other_way_round():
    targets = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help"}
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()

    assert {"demo", "test", "run"} <= targets
    assert set(re.findall(r"(?:^    |`)make ([a-z][a-z-]*)", text, re.MULTILINE)) == targets


def test_readme_begins_with_demo_test_and_run_in_this_order():
    first_screen = (ROOT / "README.md").read_text().splitlines()[:24]

    assert re.findall(r"^    make (\w+)", "\n".join(first_screen), re.MULTILINE) == ["demo", "test", "run"]


def test_readme_has_the_recipe_and_the_format_word_for_word():
    readme = (ROOT / "README.md").read_text()

    assert RECIPE in readme
    assert f"Formatter('''{MAIL_FORMAT}''')" in readme


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" not in target:
            linked = page.parent / path if path else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


OURS = re.compile(r"(?<![\w./-])(?:(?:relay|app_client|tests|benchmarks|docs)/[\w./*-]*\w|test_\w+\.py)")


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page):
    """By its path in the checkout, or a test by its name alone."""
    named = [name for code in re.findall(r"`([^`\n]+)`", page.read_text()) for name in OURS.findall(code)]

    assert [name for name in named if not (any(ROOT.glob(name)) or any(ROOT.glob(f"tests/**/{name}")))] == []


FLOW = ROOT / "docs" / "flow.md"
UNLISTED = ROOT / "relay" / "ledger" / "migrations" / "versions"
"""Each release may add one; the page names the folder alone."""


def documented_tree(page: str) -> set[str]:
    """Return the folders (`relay/web/`) and modules (`relay/web/app`) in the tree of a page.

    A line of the tree is a folder with its purpose, or the modules of the folder above, two spaces further in.
    """
    found: set[str] = set()
    folders: list[str] = []
    block = re.search(r"^    relay/ .*(?:\n    .*)*", page, re.MULTILINE)
    for line in block[0].splitlines() if block else ():
        depth = (len(line) - len(line.lstrip())) // 2 - 2
        folder = re.match(r" *(\w+/) ", line)
        folders = [*folders[:depth], *([folder[1]] if folder else [])]
        found |= {"".join(folders)} if folder else {"".join(folders) + name for name in line.split()}
    return found


def actual_tree() -> set[str]:
    """Return the folders and modules of both packages. `__init__` is the folder itself."""
    files = [file for package in ("relay", "app_client") for file in (ROOT / package).rglob("*.py")]
    folders = {f"{file.parent.relative_to(ROOT)}/" for file in files}
    modules = [file for file in files if file.stem != "__init__" and file.parent != UNLISTED]
    return folders | {str(file.relative_to(ROOT).with_suffix("")) for file in modules}


def test_tree_in_flow_names_every_package_and_module_and_no_other():
    documented = documented_tree(FLOW.read_text())

    assert actual_tree() - documented == set(), "missing in docs/flow.md"
    assert documented - actual_tree() == set(), "in docs/flow.md, and not in the checkout"


def test_tree_of_a_page_is_read_with_its_folders_and_modules():
    tree = "    relay/   all\n      a b\n      web/   pages\n        app\n    other/   more\n      c\n"
    page = f"Text.\n\n{tree}\n    code\n"

    assert documented_tree(page) == {"relay/", "relay/a", "relay/b", "relay/web/", "relay/web/app", "other/", "other/c"}
    assert documented_tree("no tree") == set()


def test_a_link_to_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[here](#one-two)\n[there](missing.md)\n")

    assert anchors(page) == {"one-two"}
    with pytest.raises(AssertionError, match=r"missing\.md"):
        test_every_internal_link_leads_somewhere(page)


INDEX = ROOT / "docs" / "index.md"


def test_index_has_one_line_for_each_page():
    """Also for the pages at the top of the checkout that a user reads."""
    lines = [line for line in INDEX.read_text().splitlines() if line.startswith("- ")]
    first_links = [match[1] for line in lines if (match := re.search(r"\]\(([^)#]+)", line))]

    assert sorted(first_links) == sorted(page.name for page in INDEX.parent.glob("*.md") if page != INDEX)
