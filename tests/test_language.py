"""Words that no identifier and no first docstring line of the project uses.

Names and first lines are what one greps for. The words below were once used for things that have a standard name in the
field (message, report, failure, quarantine, carry over); CONTRIBUTING.md says how to write instead.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

REFUSED = re.compile(
    r"anatomy|bouts?|brought|confessions|desk|duty|enclosed|enclosure|farewell|heed|kin|letters?|modesty|ordeal|parted|"
    r"patient|reception|riders|roster|specimen|strangers|stumbling|succession|suffer|surprised|tells?|told|troubles?|"
    r"unsorted|whoever"
)
REFUSED_PHRASES = ("is told", "made good", "put aside", "put by", "thereof", "what is said", "who is", "whom")
"""Refused in first docstring lines only."""

ALLOWED = re.compile(r"dead[-_ ]?letters?|ascii[_ ]letters?|one-letter|with a letter", re.IGNORECASE)
"""A dead letter is the standard term of the field; the others are letters of the alphabet."""
STORED = frozenset({"told_by"})
"""Columns, and the keys of `--json` that are named like them: these names are public and stay."""

SCANNED = ("relay", "app_client", "benchmarks", "tests")
LEFT_OUT = (ROOT / "relay" / "ledger" / "migrations" / "versions", ROOT / "tests" / "data")
"""Migrations repeat the names of stored tables and columns; test data is what others wrote."""

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def sources() -> Iterator[Path]:
    files = (file for name in SCANNED for file in (ROOT / name).rglob("*.py"))
    return (file for file in files if not any(file.is_relative_to(folder) for folder in LEFT_OUT))


def refused_words(text: str) -> list[str]:
    """Return the refused words in `text`, in order. Handles `snake_case`, `CamelCase` and prose."""
    return [word for word in map(str.lower, WORD.findall(ALLOWED.sub(" ", text))) if REFUSED.fullmatch(word)]


def refused_identifiers(source: str) -> set[str]:
    """Return the identifiers of `source` that contain a refused word."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    return {name for name in names - STORED if refused_words(name)}


def refused_first_lines(source: str) -> list[str]:
    """Return the first lines of docstrings in `source` that contain a refused word or phrase."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, documented))
    first_lines = [(ast.get_docstring(node) or "").partition("\n")[0] for node in nodes]
    return [line for line in first_lines if refused_words(line) or _has_refused_phrase(line)]


def _has_refused_phrase(line: str) -> bool:
    return any(re.search(rf"\b{phrase}\b", line, re.IGNORECASE) for phrase in REFUSED_PHRASES)


def test_sources_are_found():
    assert {ROOT / "relay" / "text.py", Path(__file__)} <= set(sources())


def test_no_identifier_contains_a_refused_word():
    found = {str(file.relative_to(ROOT)): refused_identifiers(file.read_text()) for file in sources()}

    assert {file: names for file, names in found.items() if names} == {}


def test_no_first_docstring_line_contains_a_refused_word():
    found = {str(file.relative_to(ROOT)): refused_first_lines(file.read_text()) for file in sources()}

    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize("name", ["_told", "tell_again", "OpenLetters", "SMTPTrouble", "IS_TOLD", "dead_letter_desk"])
def test_refused_identifier_is_found(name):
    assert refused_identifiers(f"def {name}(now):\n    return now\n") == {name}


@pytest.mark.parametrize("name", ["storytelling", "dead_letters", "DeadLetter", "ascii_letters", "skin", "told_by"])
def test_other_identifiers_pass(name):
    assert refused_identifiers(f"{name} = 'told'  # told\n") == set()


@pytest.mark.parametrize("line", ["Tell the admins.", "The mail, put aside.", "One who is new.", "Whom to ask."])
def test_refused_first_docstring_line_is_found(line):
    assert refused_first_lines(f'"""{line}"""\n') == [line]
    assert refused_first_lines(f'def f():\n    """{line}\n\n    More.\n    """\n') == [line]


def test_other_docstring_lines_pass():
    assert refused_first_lines('"""List dead letters in ASCII letters.\n\nThey tell more.\n"""\n') == []
