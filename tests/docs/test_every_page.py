"""All pages: each fenced snippet has a test, each configuration loads, each command line is one that relay takes."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from relay.cli import main
from relay.config import load
from tests.support.doc_snippets import snippets
from tests.support.paths import DOCS, ROOT

PAGES = sorted(DOCS.glob("*.md"))
TESTED_ELSEWHERE = {"app-client.md"}
"""Its examples are run by tests/app_client."""
USERS_PAGES = [ROOT / "README.md", *PAGES]


def test_page_with_snippets_has_a_test_that_names_it():
    """Each of these tests compares the snippets of its page with those that it runs."""
    tests = "\n".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r'snippets\("([\w-]+\.md)"\)', tests))

    assert {page.name for page in PAGES if snippets(page.name)} - TESTED_ELSEWHERE == named


def indented_blocks(page: Path) -> Iterator[str]:
    """Yield the indented blocks of a page outside of its fenced ones, without their indentation."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    for block in re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", text, re.MULTILINE):
        yield re.sub(r"(?m)^    ", "", block)


CONFIGURATIONS = {
    f"{page.name} {number}": block
    for page in PAGES
    for number, block in enumerate(indented_blocks(page), 1)
    if re.match(r"\[+\w+\]+|\w+ = [\"\[\d]", block)
}


def test_configurations_are_found():
    assert {"configuration.md", "operations.md", "grouping.md"} <= {key.partition(" ")[0] for key in CONFIGURATIONS}


@pytest.mark.parametrize("key", CONFIGURATIONS)
def test_configuration_in_a_page_loads(key, tmp_path):
    """Secrets are read only by the service. Hashes that a page shortens, and folders, are those of the test."""
    block = CONFIGURATIONS[key]
    tomllib.loads(block)
    config = tmp_path / "relay.toml"
    admins = "" if block.startswith("admins") else 'admins = ["yourname@example.com"]\n'  # an excerpt of a file
    config.write_text(admins + re.sub(r'"\$scrypt\$[^"]*…"', '"open sesame"', block))

    assert load(config, {}).file == config


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield page and text of each `relay …` in inline code or at the beginning of an indented line."""
    for page in USERS_PAGES:
        text = page.read_text()
        found = [
            *re.findall(r"`(relay [a-z][^`\n]*)`", text),
            *re.findall(r"^    (relay [a-z-]+(?: .*)?)$", text, re.MULTILINE),
        ]
        for line in found:
            words = re.split(r" {2,}|\s#| [<>]", line)[0]
            if words.isascii():
                yield page.name, words


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())), ids=str)
def test_command_line_in_a_page_has_known_commands_and_options(page, line):
    words = shlex.split(line)[1:]
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, line
        command, words = found, words[1:]

    command.make_parser(click.Context(command)).parse_args(words)


def test_unknown_option_is_found():
    with pytest.raises(click.NoSuchOption):
        test_command_line_in_a_page_has_known_commands_and_options("x.md", "relay mute 1 --until 2h")
